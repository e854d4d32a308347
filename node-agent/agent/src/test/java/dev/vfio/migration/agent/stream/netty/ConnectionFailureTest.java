package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.io.IOException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import org.junit.jupiter.api.Test;

/** A lost connection is no verdict on a certificate, and a refused certificate is no lost link. */
class ConnectionFailureTest {
  private static Kind kindOf(Throwable cause, boolean established) {
    return ConnectionFailure.of(cause, "stream 0: ", "a certificate", established).kind();
  }

  @Test
  void aConnectionThatIsLostDuringTheHandshakeIsBroken() {
    SSLException lost = new SSLException("failure when writing TLS control frames");
    lost.initCause(new IOException("Broken pipe"));
    assertThat(kindOf(lost, false)).isEqualTo(Kind.BROKEN);
  }

  @Test
  void aHandshakeThatTheOtherEndRefusesIsUnauthenticated() {
    SSLException refused = new SSLHandshakeException("Received fatal alert: bad_certificate");
    assertThat(kindOf(refused, false)).isEqualTo(Kind.UNAUTHENTICATED);
  }
}
