package dev.vfio.migration.operator.agents;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.agents.TlsFiles.CredentialsException;
import dev.vfio.migration.operator.fake.TestAuthority;
import io.netty.handler.ssl.SslContext;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The operator's own certificates at its start and while they are replaced. */
class TlsFilesTest {
  @TempDir private Path work;

  private final TestAuthority authority = new TestAuthority();
  private Path own;
  private Path other;
  private TlsFiles files;

  @BeforeEach
  void issue() {
    own = authority.issue(work.resolve("own"), TestAuthority.OPERATOR);
    other = authority.issue(work.resolve("other"), TestAuthority.OPERATOR);
    files = new TlsFiles(own, Clock.systemUTC());
  }

  @Test
  void aKeyThatDoesNotBelongToItsCertificateIsRefusedAtTheStart() throws Exception {
    take("tls.key");
    assertThatThrownBy(files::context)
        .isInstanceOf(CredentialsException.class)
        .hasMessageContaining("the key in " + own.resolve("tls.key") + " is not that of tls.crt");
  }

  @Test
  void whatWasGoodIsUsedUntilKeyAndCertificateFitAgain() throws Exception {
    SslContext before = files.context();
    take("tls.key");
    assertThat(files.context()).isSameAs(before);
    take("tls.crt");
    assertThat(files.context()).isNotSameAs(before);
  }

  @Test
  void whatWasGoodIsUsedWhileAFileIsEmptyOrAway() throws Exception {
    SslContext before = files.context();
    for (String name : new String[] {"tls.crt", "tls.key", "ca.crt"}) {
      byte[] content = Files.readAllBytes(own.resolve(name));
      Files.write(own.resolve(name), new byte[0]);
      assertThat(files.context()).isSameAs(before);
      Files.delete(own.resolve(name));
      assertThat(files.context()).isSameAs(before);
      Files.write(own.resolve(name), content);
    }
    assertThat(files.context()).isSameAs(before);
  }

  @Test
  void whatWasGoodIsRefusedOnceItExpired() throws Exception {
    files.context();
    TlsFiles later =
        new TlsFiles(own, Clock.fixed(Instant.now().plus(Duration.ofDays(30)), ZoneOffset.UTC));
    assertThatThrownBy(later::context)
        .isInstanceOf(CredentialsException.class)
        .hasMessageContaining("the operator's own certificate in " + own + " expired at");
  }

  @Test
  void anEmptyAuthorityIsNamed() throws Exception {
    Files.write(own.resolve("ca.crt"), new byte[0]);
    assertThatThrownBy(files::context)
        .isInstanceOf(CredentialsException.class)
        .hasMessageContaining(own.resolve("ca.crt") + " is empty")
        .hasMessageContaining("it should hold certificates (CERTIFICATE) in PEM");
  }

  private void take(String name) throws Exception {
    Files.copy(other.resolve(name), own.resolve(name), StandardCopyOption.REPLACE_EXISTING);
  }
}
