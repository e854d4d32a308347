package dev.vfio.migration.agent.configuration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.kernel.NodeChoice;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

class KernelSettingsTest {

  private static AgentConfig with(Map<String, String> properties) {
    Map<String, String> all = new HashMap<>(properties);
    all.put("agent.node-name", "node-a");
    return new SmallRyeConfigBuilder()
        .addDiscoveredConverters()
        .withMapping(AgentConfig.class)
        .withSources(new PropertiesConfigSource(all, "test", 100))
        .build()
        .getConfigMapping(AgentConfig.class);
  }

  @Test
  void whatIsNotSaidIsLeftToTheNode() {
    AgentConfig config = with(Map.of());
    assertThat(config.kernelDevices()).isEmpty();
    assertThat(config.stateHost()).isEmpty();
    assertThat(config.deviceAccess()).isEqualTo(NodeChoice.AUTO);
  }

  @Test
  void theDirectoriesAreThoseOfTheDocumentation() {
    AgentConfig config = with(Map.of());
    assertThat(config.handoverDirectory()).isEqualTo(Path.of("/run/vfio-migration/devices"));
    assertThat(config.cgroupDirectory()).isEqualTo(Path.of("/sys/fs/cgroup"));
  }

  @Test
  void everySettingCanBeGiven() {
    AgentConfig config =
        with(
            Map.of(
                "agent.kernel-devices", "false",
                "agent.device-access", "cdev",
                "agent.handover-directory", "/srv/devices",
                "agent.cgroup-directory", "/sys/fs/cgroup/unified",
                "agent.state-host", "10.77.0.1"));
    assertThat(config.kernelDevices()).contains(false);
    assertThat(config.deviceAccess()).isEqualTo(NodeChoice.CDEV);
    assertThat(config.handoverDirectory()).isEqualTo(Path.of("/srv/devices"));
    assertThat(config.cgroupDirectory()).isEqualTo(Path.of("/sys/fs/cgroup/unified"));
    assertThat(config.stateHost()).contains("10.77.0.1");
  }

  @Test
  void anAccessThatThereIsNotIsRefusedWithThoseThereAre() {
    assertThatThrownBy(() -> with(Map.of("agent.device-access", "iommufd")))
        .hasMessageContaining("iommufd")
        .hasMessageContaining("auto,cdev,group");
  }
}
