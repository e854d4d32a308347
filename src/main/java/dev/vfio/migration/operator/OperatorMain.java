package dev.vfio.migration.operator;

import dev.vfio.migration.operator.certificates.MakeCertificates;
import io.quarkus.runtime.Quarkus;
import io.quarkus.runtime.annotations.QuarkusMain;
import java.util.List;
import org.jboss.logging.Logger;

/**
 * The operator, or with the one argument {@value #CERTIFICATES} the job that makes certificates.
 */
@QuarkusMain
public final class OperatorMain {
  static final String CERTIFICATES = "certificates";

  /** Bytes of one message of a TLS handshake; Java reads it once, before the first connection. */
  private static final String LONGEST_MESSAGE = "jdk.tls.maxHandshakeMessageSize";

  private OperatorMain() {}

  public static void main(String... arguments) {
    if (List.of(arguments).equals(List.of(CERTIFICATES))) {
      System.exit(MakeCertificates.run(System.getenv(), System.out));
    }
    allowLongCertificates();
    Quarkus.run(null, OperatorMain::ended, arguments);
  }

  /** As Quarkus ends by itself, but with the reason in a sentence below the stack trace. */
  private static void ended(int status, Throwable failure) {
    if (failure != null) {
      Logger.getLogger(OperatorMain.class).error(StartFailure.explain(failure));
    }
    System.exit(status);
  }

  /**
   * A certificate that names each node of a large cluster is longer than the 32 KiB that Java takes
   * by itself.
   */
  public static void allowLongCertificates() {
    if (System.getProperty(LONGEST_MESSAGE) == null) {
      System.setProperty(LONGEST_MESSAGE, String.valueOf(64 << 10));
    }
  }
}
