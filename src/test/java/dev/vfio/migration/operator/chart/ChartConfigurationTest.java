package dev.vfio.migration.operator.chart;

import static dev.vfio.migration.operator.chart.RenderedObjects.environment;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.OperatorConfig;
import java.io.IOException;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/**
 * What the chart sets in the environment is what the programs read. A misspelt variable is silently
 * ignored by both.
 */
class ChartConfigurationTest {

  /** The agent's settings, read as text: the operator must not depend on the agent's classes. */
  private static final Path AGENT_SETTINGS =
      Path.of(
          "node-agent/agent/src/main/java/dev/vfio/migration/agent/configuration/AgentConfig.java");

  private static final Pattern SETTING = Pattern.compile("(?m)^  [A-Za-z<>]+ ([a-zA-Z]+)\\(\\);$");
  private static final Pattern HUMP = Pattern.compile("([a-z])([A-Z])");

  @Test
  void everyVariableOfTheOperatorIsASettingOfIt() {
    Set<String> settings =
        Arrays.stream(OperatorConfig.class.getMethods())
            .map(Method::getName)
            .map(name -> variable("OPERATOR", name))
            .collect(Collectors.toSet());

    Set<String> set = variables(Chart.render("").operatorPod(), "OPERATOR_");

    assertThat(set).isNotEmpty();
    assertThat(settings).containsAll(set);
  }

  @Test
  void everyVariableOfTheAgentIsASettingOfIt() throws IOException {
    Set<String> settings =
        SETTING
            .matcher(Files.readString(Chart.repository().resolve(AGENT_SETTINGS)))
            .results()
            .map((MatchResult setting) -> variable("AGENT", setting.group(1)))
            .collect(Collectors.toSet());

    Set<String> set =
        variables(
            Chart.render(
                    "agent: {hostNetwork: true, stateHost: $(AGENT_NODE_NAME), kernelDevices:"
                        + " {enabled: true, handoverUsers: [1]}}")
                .agentPod(),
            "AGENT_");

    assertThat(set).isNotEmpty();
    assertThat(settings).containsAll(set);
  }

  private static Set<String> variables(io.fabric8.kubernetes.api.model.PodSpec pod, String prefix) {
    return environment(pod).keySet().stream()
        .filter(name -> name.startsWith(prefix))
        .collect(Collectors.toSet());
  }

  /** As SmallRye reads it: {@code agent.node-name} is AGENT_NODE_NAME. */
  private static String variable(String prefix, String setting) {
    return prefix
        + "_"
        + HUMP.matcher(setting).replaceAll("$1_$2").toUpperCase(java.util.Locale.ROOT);
  }
}
