package dev.vfio.migration.operator.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.reference.SettingsSource.Setting;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the reference page reads of a setting: key, default, description. */
class SettingsSourceTest {
  @TempDir private Path directory;

  @Test
  void keysDefaultsAndDescriptionsAreThoseOfTheSource() throws IOException {
    Path file =
        source(
            """
            /** How long a call may take; less than {@link
             * #retryPeriod()}, {@code 0} is none. */
            @WithDefault("10s")
            Duration callTimeout();

            /** Required. */
            String nodeName();

            /** May be absent. */
            @WithName("period")
            Optional<Duration> retryPeriod();

            Lease lease();

            interface Lease {
              /** Its name. */
              @WithDefault("leader")
              String name();
            }
            """);
    assertThat(SettingsSource.read(file))
        .containsExactly(
            new Setting(
                "test.call-timeout",
                "Duration",
                Optional.of("10s"),
                "How long a call may take; less than `test.retry-period`, `0` is none."),
            new Setting("test.node-name", "String", Optional.empty(), "Required."),
            new Setting("test.period", "Optional<Duration>", Optional.empty(), "May be absent."),
            new Setting("test.lease.name", "String", Optional.of("leader"), "Its name."));
    assertThat(SettingsSource.read(file))
        .extracting(Setting::required)
        .containsExactly(false, true, false, false);
    assertThat(SettingsSource.read(file).get(0).environment()).isEqualTo("TEST_CALL_TIMEOUT");
  }

  @Test
  void settingWithoutADescriptionIsRefusedByItsName() throws IOException {
    Path file = source("String nodeName();");
    assertThatThrownBy(() -> SettingsSource.read(file))
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("test.node-name has no Javadoc");
  }

  private Path source(String members) throws IOException {
    return Files.writeString(
        directory.resolve("TestConfig.java"),
        "@ConfigMapping(prefix = \"test\")\npublic interface TestConfig {\n" + members + "}\n");
  }
}
