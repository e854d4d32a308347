package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.configuration.AgentConfig;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.Certificate;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the control service is given at its start and at each reload. */
class ControlCertificatesTest {
  @TempDir Path work;

  private Path own;
  private Path other;
  private ControlCertificates certificates;

  @BeforeEach
  void issue() throws Exception {
    TestCertificates authority = new TestCertificates("authority");
    own = authority.issue(work.resolve("own"), Duration.ofHours(1), "a");
    other = authority.issue(work.resolve("other"), Duration.ofHours(1), "b");
    certificates =
        new ControlCertificates(
            new SmallRyeConfigBuilder()
                .addDiscoveredConverters()
                .withMapping(AgentConfig.class)
                .withSources(
                    new PropertiesConfigSource(
                        Map.of("agent.node-name", "a", "agent.tls-directory", own.toString()),
                        "test",
                        100))
                .build()
                .getConfigMapping(AgentConfig.class));
  }

  @Test
  void aKeyOfAnotherCertificateIsRefusedAtTheStart() throws Exception {
    take("tls.key");
    requireRefused("the key in " + own.resolve("tls.key") + " is not that of tls.crt");
  }

  @Test
  void aKeyOfAnotherCertificateIsRefusedAtAReload() throws Exception {
    final Certificate before = shown();
    take("tls.key");
    requireRefused("the key in " + own.resolve("tls.key") + " is not that of tls.crt");
    take("tls.crt");
    assertThat(shown()).isNotEqualTo(before);
    assertThat(certificates.getTrustStore(null).trustStore.size()).isEqualTo(1);
  }

  /** Whatever differs makes the server give up what it has, and refuse whoever comes meanwhile. */
  @Test
  void theAnswerIsTheSameWhileTheFilesAre() {
    assertThat(certificates.getKeyStore(null)).isSameAs(certificates.getKeyStore(null));
    assertThat(certificates.getTrustStore(null)).isSameAs(certificates.getTrustStore(null));
  }

  @Test
  void anEmptyAuthorityIsNamed() throws Exception {
    Files.write(own.resolve("ca.crt"), new byte[0]);
    requireRefused(own.resolve("ca.crt") + " is empty (0 bytes); it should hold certificates");
  }

  private Certificate shown() throws Exception {
    return certificates.getKeyStore(null).keyStore.getCertificate("own");
  }

  private void requireRefused(String complaint) {
    assertThatThrownBy(() -> certificates.getKeyStore(null))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining(complaint);
  }

  private void take(String name) throws Exception {
    Files.copy(other.resolve(name), own.resolve(name), StandardCopyOption.REPLACE_EXISTING);
  }
}
