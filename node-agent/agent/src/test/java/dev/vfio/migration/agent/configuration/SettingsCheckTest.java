package dev.vfio.migration.agent.configuration;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What can be read and cannot work is refused by name. */
class SettingsCheckTest {

  private static void check(String name, String value) {
    Map<String, String> all = new HashMap<>(Map.of("agent.node-name", "node-a"));
    all.put(name, value);
    SettingsCheck.check(
        new SmallRyeConfigBuilder()
            .addDiscoveredConverters()
            .withMapping(AgentConfig.class)
            .withSources(new PropertiesConfigSource(all, "test", 100))
            .build()
            .getConfigMapping(AgentConfig.class));
  }

  @ParameterizedTest
  @CsvSource({
    "agent.node-name, Node_A",
    "agent.node-name, a..b",
    "agent.listen-address, no such address",
    "agent.state-port, 99999",
    "agent.state-port, 9443",
    "agent.health-port, -1",
    "agent.control-port, 65536",
    "agent.journal-directory, journal",
    "agent.journal-directory, /",
    "agent.vfio-user-directory, /run/..",
    "agent.handover-directory, devices",
    "agent.command-timeout, -5s",
    "agent.device-look-timeout, 0s",
    "agent.stream-resume-time, 0s",
    "agent.paused-stream-resume-time, 0s",
    "agent.workload-timeout, 0s",
    "agent.stop-timeout, -1s",
    "agent.remembered-for, -1s",
    "agent.maximum-sessions, 0",
    "agent.remembered-sessions, -1",
    "agent.maximum-window-memory, 9999999T",
  })
  void whatCannotWorkIsRefusedByName(String name, String value) {
    assertThatThrownBy(() -> check(name, value))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(name + " is '")
        .hasMessageContaining("must");
  }

  @ParameterizedTest
  @ValueSource(strings = {"7", "10.0.0.1", "1e3", "localhost", "a.b.example", "null"})
  void everyNameThatANodeMayHaveIsTaken(String name) {
    check("agent.node-name", name);
    check("agent.node-name", name + ".x".repeat((253 - name.length()) / 2));
    check("agent.node-name", "n".repeat(253));
  }

  @Test
  void portsMayBeLeftToTheSystem() {
    check("agent.state-port", "0");
    check("agent.listen-address", "::");
  }
}
