package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.time.Duration;
import java.time.temporal.ChronoUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GoDurationTest {

  @ParameterizedTest
  @CsvSource({
    "300ms, 300000000",
    "1m30s, 90000000000",
    "1.5h, 5400000000000",
    "1h1m1s1ms, 3661001000000",
    "10us, 10000",
    "7ns, 7",
    "0s, 0"
  })
  void readsWhatGoWrites(String text, long nanos) {
    assertThat(GoDuration.parse(text)).isEqualTo(Duration.ofNanos(nanos));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"", "300", "ms", "-1s", "1 s", "1s ", "s1", "1d", "999999999h", "1.s", "١s"})
  void refusesWhatIsNoDuration(String text) {
    assertThatIllegalArgumentException().isThrownBy(() -> GoDuration.parse(text));
  }

  /** Read in every reconciliation, and told in a condition. */
  @Test
  void oneThatIsTooLongIsRefusedInAFewWords() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> GoDuration.parse("1s".repeat(500_000)))
        .satisfies(refused -> assertThat(refused.getMessage()).hasSizeLessThan(200));
  }

  @ParameterizedTest
  @CsvSource({
    "0, 0ns",
    "999, 999ns",
    "87400000, 87.4ms",
    "158312345, 158ms",
    "1500000000, 1.5s",
    "59990000000, 60s",
    "60000000000, 1m",
    "750000000000, 12m30s",
    "3600000000000, 1h",
    "5400000000000, 1h30m"
  })
  void writesThreeDigitsAndTheUnitThatPeopleChoose(long nanos, String text) {
    assertThat(GoDuration.format(Duration.ofNanos(nanos))).isEqualTo(text);
  }

  @Test
  void writesAlsoTheLongestThatAStatusCanHold() {
    assertThat(GoDuration.format(Duration.of(Long.MAX_VALUE, ChronoUnit.MICROS)))
        .isEqualTo("2562047788h");
  }
}
