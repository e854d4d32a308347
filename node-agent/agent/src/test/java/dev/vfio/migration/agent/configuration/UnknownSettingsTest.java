package dev.vfio.migration.agent.configuration;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A misspelt setting is not the same as none. */
class UnknownSettingsTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "AGENT_MEMORY_DIRECTORY",
        "AGENT_MAXIMUM_WINDOWS_MEMORY",
        "AGENT_HANDOVERUSERS",
        "AGENT_PORT",
        "AGENT_"
      })
  void aVariableThatIsNoSettingIsNamed(String name) {
    assertThatThrownBy(() -> UnknownSettings.refuse(List.of(), Map.of(name, "1")))
        .hasMessageContaining("no setting " + name + ";")
        .hasMessageContaining("agent.memory-directories");
  }

  @ParameterizedTest
  @ValueSource(strings = {"agent.memory-directory", "agent.maximum-sesions", "agent.tls.directory"})
  void aPropertyThatIsNoSettingIsNamed(String name) {
    assertThatThrownBy(() -> UnknownSettings.refuse(List.of("quarkus.http.port", name), Map.of()))
        .hasMessageContaining("no setting " + name + ";");
  }

  @Test
  void allThatThereAreAreTaken() {
    assertThatCode(
            () ->
                UnknownSettings.refuse(
                    List.of(
                        "agent.node-name",
                        "agent.memory-directories[0]",
                        "agent.vfio-user-directory",
                        "agent.memory.directories",
                        "quarkus.log.level"),
                    Map.of(
                        "AGENT_NODE_NAME", "node-a",
                        "AGENT_MEMORY_DIRECTORIES", "/a,/b",
                        "AGENT_MEMORY_DIRECTORIES_0_", "/a",
                        "AGENT_HANDOVER_USERS", "64001",
                        "AGENT_STATE_PORT", "9444",
                        "OPERATOR_ADMIN", "1")))
        .doesNotThrowAnyException();
  }

  /** Whatever a service of the namespace is called: kubelet names variables after it. */
  @Test
  void whatKubernetesPutsThereIsNotMeantForTheAgent() {
    assertThatCode(
            () ->
                UnknownSettings.refuse(
                    List.of("agent.metrics.service.host"),
                    Map.of(
                        "AGENT_METRICS_SERVICE_HOST", "10.0.0.1",
                        "AGENT_METRICS_SERVICE_PORT_HTTP", "80",
                        "AGENT_METRICS_PORT", "tcp://10.0.0.1:80",
                        "AGENT_METRICS_PORT_80_TCP", "tcp://10.0.0.1:80",
                        "AGENT_METRICS_PORT_80_TCP_ADDR", "10.0.0.1")))
        .doesNotThrowAnyException();
  }
}
