package dev.vfio.migration.agent.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.configuration.AgentConfig;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class AgentConfigTest {

  private static AgentConfig with(Map<String, String> properties) {
    return new SmallRyeConfigBuilder()
        .addDiscoveredConverters()
        .withMapping(AgentConfig.class)
        .withSources(new PropertiesConfigSource(properties, "test", 100))
        .build()
        .getConfigMapping(AgentConfig.class);
  }

  @Test
  void theDefaultsAreThoseOfTheReadme() {
    AgentConfig config = with(Map.of("agent.node-name", "node-a"));
    assertThat(config.nodeName()).isEqualTo("node-a");
    assertThat(config.listenAddress()).isEqualTo("0.0.0.0");
    assertThat(config.controlPort()).isEqualTo(9443);
    assertThat(config.statePort()).isEqualTo(9444);
    assertThat(config.healthPort()).isEqualTo(9000);
    assertThat(config.journalDirectory()).isEqualTo(Path.of("/var/lib/vfio-migration"));
    assertThat(config.vfioUserDirectory()).isEqualTo(Path.of("/run/vfio-user"));
    assertThat(config.memoryDirectories()).isEmpty();
    assertThat(config.tlsDirectory()).isEqualTo(Path.of("/etc/vfio-migration/tls"));
    assertThat(config.operatorName()).isEqualTo("operator.migration.vfio.dev");
    assertThat(config.maximumSessions()).isEqualTo(16);
    assertThat(config.maximumWindowMemory().asLongValue()).isEqualTo(256L << 30);
    assertThat(config.rememberedSessions()).isEqualTo(100);
    assertThat(config.rememberedFor()).isEqualTo(Duration.ofHours(24));
    assertThat(config.workloadTimeout()).isEqualTo(Duration.ofSeconds(30));
    assertThat(config.deviceLookTimeout()).isEqualTo(Duration.ofSeconds(5));
    assertThat(config.commandTimeout()).isEqualTo(Duration.ofSeconds(5));
    assertThat(config.stopTimeout()).isEqualTo(Duration.ofSeconds(20));
    assertThat(config.certificateReloadPeriod()).isEqualTo(Duration.ofSeconds(30));
  }

  @Test
  void theNodesNameIsRequired() {
    assertThatThrownBy(() -> with(Map.of())).hasMessageContaining("agent.node-name");
  }

  @Test
  void windowsLieBeneathTheDirectoriesThatTheAdministratorNames() {
    AgentConfig some =
        with(
            Map.of(
                "agent.node-name",
                "node-a",
                "agent.memory-directories",
                "/dev/hugepages/vfio,/dev/shm/vfio"));
    assertThat(AgentNode.windowDirectories(some))
        .containsExactly(
            Path.of("/run/vfio-user"), Path.of("/dev/hugepages/vfio"), Path.of("/dev/shm/vfio"));
    assertThat(AgentNode.windowDirectories(with(Map.of("agent.node-name", "node-a"))))
        .containsExactly(Path.of("/run/vfio-user"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"/", "shm", "/dev/shm/..", "/srv/../dev"})
  void aDirectoryThatNobodyCanHaveMeantIsRefused(String directory) {
    AgentConfig config =
        with(Map.of("agent.node-name", "node-a", "agent.memory-directories", directory));
    assertThatThrownBy(() -> AgentNode.windowDirectories(config))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(
            "agent.memory-directories: " + directory + " must be the absolute path");
  }
}
