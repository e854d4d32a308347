package dev.vfio.migration.sandbox.apiserver.quantity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Quantities and durations in Kubernetes' text forms. */
class QuantityTest {
  @ParameterizedTest
  @CsvSource({
    "1Ki, 1024",
    "1Gi, 1073741824",
    "1k, 1000",
    "1500m, 1.5",
    "1e3, 1000",
    "1E, 1000000000000000000",
    "-2, -2",
    "0.5Mi, 524288",
    "100n, 0.0000001",
    "1E2, 100"
  })
  void quantitiesAreNumbers(String text, String number) {
    assertThat(Quantity.parse(text))
        .isEqualByComparingTo(Quantity.parse(number))
        .isEqualTo(Quantity.parse(number));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "Gi", "1KB", "1 Gi", "ten", "1.2.3", "1e", "0x10"})
  void otherTextsAreNone(String text) {
    assertThat(Quantity.isValid(text)).isFalse();
    assertThatThrownBy(() -> Quantity.parse(text)).isInstanceOf(IllegalArgumentException.class);
  }

  @ParameterizedTest
  @CsvSource({
    "300ms, 300000000",
    "1h30m, 5400000000000",
    "1.5s, 1500000000",
    "-2us, -2000",
    "0, 0"
  })
  void durationsAreNanoseconds(String text, long nanoseconds) {
    assertThat(GoDuration.parse(text)).isEqualTo(Duration.ofNanos(nanoseconds));
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "5", "1d", "ms", "1h 2m", "999999999h"})
  void otherTextsAreNoDurations(String text) {
    assertThat(GoDuration.isValid(text)).isFalse();
  }

  @Test
  void wholeNumbersAreTold() {
    assertThat(Quantity.parse("2Ki").isInteger()).isTrue();
    assertThat(Quantity.parse("1500m").isInteger()).isFalse();
    assertThat(Quantity.parse("10E").isInteger()).isFalse();
  }

  /** Whoever asks for such a number gets an answer, and at once. */
  @Test
  @Timeout(120)
  void noTextTakesLongToBeReadOrRefused() {
    for (String text :
        new String[] {
          "1e999999999", "1e-999999999", "9".repeat(2_000_000), "1e" + "9".repeat(99)
        }) {
      assertThat(Quantity.isValid(text)).isFalse();
      assertThatThrownBy(() -> Quantity.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }
    for (String text : new String[] {"1h".repeat(500_000), "9".repeat(2_000_000) + "h"}) {
      assertThat(GoDuration.isValid(text)).isFalse();
      assertThatThrownBy(() -> GoDuration.parse(text)).isInstanceOf(IllegalArgumentException.class);
    }
    assertThat(Quantity.parse("1e999").toString()).hasSize(1000);
    assertThat(Quantity.parse("1e-999").toString()).isEqualTo("0.000000001");
  }
}
