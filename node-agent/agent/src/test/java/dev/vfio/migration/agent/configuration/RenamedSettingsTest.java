package dev.vfio.migration.agent.configuration;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.smallrye.config.EnvConfigSource;
import io.smallrye.config.PropertiesConfigSource;
import io.smallrye.config.SmallRyeConfigBuilder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A setting that got another name is in force by its former name, too, and the log says so. */
class RenamedSettingsTest {
  private final List<String> warnings = new ArrayList<>();
  private final Logger logger = Logger.getLogger(RenamedSettings.class.getName());
  private final Handler handler =
      new Handler() {
        @Override
        public void publish(LogRecord record) {
          warnings.add(record.getMessage());
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
      };

  @BeforeEach
  void listen() {
    logger.addHandler(handler);
  }

  @AfterEach
  void stopListening() {
    logger.removeHandler(handler);
  }

  private static AgentConfig with(Map<String, String> properties, Map<String, String> environment) {
    return new SmallRyeConfigBuilder()
        .addDiscoveredConverters()
        .withMapping(AgentConfig.class)
        .withSources(
            new PropertiesConfigSource(Map.of("agent.node-name", "node-a"), "name", 100),
            new PropertiesConfigSource(properties, "test", 100),
            new EnvConfigSource(environment, 300))
        .build()
        .getConfigMapping(AgentConfig.class);
  }

  @Test
  void theNewNameIsInForceWithoutAWarning() {
    AgentConfig config = with(Map.of("agent.stop-timeout", "7s"), Map.of());
    RenamedSettings.warn(config);
    assertThat(RenamedSettings.stopTimeout(config)).isEqualTo(Duration.ofSeconds(7));
    assertThat(warnings).isEmpty();
  }

  @Test
  void theFormerNameIsInForceWithAWarning() {
    AgentConfig config = with(Map.of("agent.stop-patience", "7s"), Map.of());
    RenamedSettings.warn(config);
    assertThat(RenamedSettings.stopTimeout(config)).isEqualTo(Duration.ofSeconds(7));
    assertThat(warnings).singleElement().asString().contains("agent.stop-timeout");
  }

  @Test
  void theFormerNameIsInForceFromTheEnvironment() {
    AgentConfig config = with(Map.of(), Map.of("AGENT_STOP_PATIENCE", "7s"));
    RenamedSettings.warn(config);
    assertThat(RenamedSettings.stopTimeout(config)).isEqualTo(Duration.ofSeconds(7));
    assertThat(warnings).hasSize(1);
  }

  @Test
  void bothNamesAreSettingsThatThereAre() {
    assertThatCode(
            () ->
                UnknownSettings.refuse(
                    List.of("agent.stop-patience", "agent.stop-timeout"),
                    Map.of("AGENT_STOP_PATIENCE", "7s", "AGENT_STOP_TIMEOUT", "7s")))
        .doesNotThrowAnyException();
  }
}
