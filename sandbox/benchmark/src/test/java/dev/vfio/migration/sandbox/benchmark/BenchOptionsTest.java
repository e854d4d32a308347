package dev.vfio.migration.sandbox.benchmark;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the benchmark is asked for, and how it sums up what it saw. */
class BenchOptionsTest {

  @Test
  void without_options_it_measures_what_the_aims_are_set_for() {
    assertThat(BenchOptions.parse())
        .isEqualTo(new BenchOptions(2L << 30, List.of(256L << 20, 2L << 30, 8L << 30), 3, 1));
  }

  @Test
  void options_change_what_they_name() {
    assertThat(
            BenchOptions.parse(
                "--quick", "--sizes", "1GiB,64MiB", "--repeats", "5", "--streams", "2"))
        .isEqualTo(new BenchOptions(512L << 20, List.of(64L << 20, 1L << 30), 5, 2));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--fast | there is no option --fast",
        "--sizes | --sizes needs a value",
        "--sizes 1TiB | sizes like 256MiB,2GiB",
        "--sizes 16GiB | out of range",
        "--repeats 0 | from 1 to 20",
        "--streams many | from 1 to 16"
      })
  void what_cannot_be_understood_is_refused(String arguments, String reason) {
    assertThatThrownBy(() -> BenchOptions.parse(arguments.split(" ")))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining(reason);
  }

  @Test
  void the_median_is_not_moved_by_one_bad_run() {
    assertThat(Spread.of(List.of(2.0, 0.1, 2.2))).isEqualTo(new Spread(2.0, 0.1, 2.2));
    assertThat(Spread.of(List.of(3.0, 1.0))).isEqualTo(new Spread(2.0, 1.0, 3.0));
    assertThat(Spread.of(List.of(1.5)).text("GB/s")).isEqualTo("1.50 GB/s (1.50 to 1.50)");
    assertThatThrownBy(() -> Spread.of(List.of())).isInstanceOf(IllegalArgumentException.class);
  }
}
