package dev.vfio.migration.sandbox.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.sandbox.demo.DemoOptions.BadOption;
import dev.vfio.migration.sandbox.demo.DemoOptions.FailingState;
import dev.vfio.migration.sandbox.demo.DemoOptions.SourceState;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every option is understood or refused with its reason. */
class DemoOptionsTest {

  @Test
  void without_options_the_demo_moves_what_the_example_says() throws Exception {
    assertThat(DemoOptions.parse())
        .isEqualTo(
            new DemoOptions(
                false, 128L << 20, 8L << 20, Optional.empty(), Optional.empty(), Optional.empty()));
  }

  @Test
  void both_ways_to_give_a_value_are_taken() throws Exception {
    DemoOptions options =
        DemoOptions.parse(
            "--keep",
            "--state-size=8GiB",
            "--dirty-rate",
            "512KiB/s",
            "--downtime-limit",
            "1m30s",
            "--cancel-at=PRECOPY");

    assertThat(options)
        .isEqualTo(
            new DemoOptions(
                true,
                8L << 30,
                512L << 10,
                Optional.of("1m30s"),
                Optional.of(SourceState.PRECOPY),
                Optional.empty()));
    assertThat(DemoOptions.parse("--fail-at", "RESUME").failAt()).hasValue(FailingState.RESUME);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '"',
      value = {
        "--state-sice 1MiB | there is no option --state-sice",
        "extra | there is no option extra",
        "--state-size | --state-size needs a value",
        "--state-size --keep | --state-size needs a value",
        "--state-size= | --state-size needs a value",
        "--state-size -1MiB | '-1MiB' is no size",
        "--state-size 1TiB | '1TiB' is no size",
        "--state-size 9GiB | 9GiB is out of range, 1024 to 8589934592 bytes",
        "--state-size 999999999999999GiB | is out of range",
        "--state-size 1B | 1B is out of range",
        "--dirty-rate fast | 'fast' is no size",
        "--downtime-limit 300 | '300' is no duration",
        "--downtime-limit 0ms | 0ms is out of range, 1ms to 10m",
        "--downtime-limit 11m | 11m is out of range",
        "--downtime-limit ms | 'ms' is no duration",
        "--cancel-at RESUME | 'RESUME' is not possible; it takes one of SETUP, PRECOPY, STOPNCOPY",
        "--fail-at RUNNING | it takes one of SETUP, PRECOPY, STOPNCOPY, RESUME, RESUME_COMPLETED",
        "--fail-at RESUME --cancel-at SETUP | exclude each other",
        "--keep=yes | --keep takes no value",
        "--keep --stop | --stop stands alone"
      })
  void what_cannot_be_understood_is_refused_with_the_reason(String arguments, String reason) {
    assertThatThrownBy(() -> DemoOptions.parse(arguments.split(" ")))
        .isInstanceOf(BadOption.class)
        .hasMessageContaining(reason);
  }
}
