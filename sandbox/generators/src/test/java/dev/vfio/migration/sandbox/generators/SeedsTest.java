package dev.vfio.migration.sandbox.generators;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A property is checked with the same values in every run, and a failure names its seed. */
class SeedsTest {

  @BeforeEach
  @AfterEach
  void noSettings() {
    System.clearProperty("seed");
    System.clearProperty("tries");
  }

  private static List<Long> drawn(int tries) {
    List<Long> drawn = new ArrayList<>();
    Seeds.check(tries, values -> drawn.add(values.seed()));
    return drawn;
  }

  @Test
  void everyRunDrawsTheSameValuesAndEverySeedItsOwn() {
    assertThat(drawn(1000)).isEqualTo(drawn(1000)).doesNotHaveDuplicates().hasSize(1000);
  }

  @Test
  void aFailureNamesItsSeedAndEndsTheCheck() {
    List<Long> checked = new ArrayList<>();
    assertThatThrownBy(
            () ->
                Seeds.check(
                    10,
                    values -> {
                      checked.add(values.seed());
                      if (checked.size() == 4) {
                        throw new IOException("no space");
                      }
                    }))
        .isInstanceOf(AssertionError.class)
        .hasMessage("seed 3 (-Dseed=3 checks it alone): java.io.IOException: no space")
        .hasCauseInstanceOf(IOException.class);
    assertThat(checked).hasSize(4);
  }

  @Test
  void aFailedAssertionIsAFailure() {
    assertThatThrownBy(() -> Seeds.check(1, values -> assertThat(values.anyInt()).isZero()))
        .isInstanceOf(AssertionError.class)
        .hasMessageContaining("seed 0 ")
        .hasMessageContaining("-2147483648");
  }

  @Test
  void oneSeedIsCheckedAlone() {
    List<Long> all = drawn(100);
    System.setProperty("seed", "42");
    assertThat(drawn(100)).containsExactly(all.get(42));
  }

  @Test
  void theNumberOfSeedsCanBeChosen() {
    System.setProperty("tries", "7");
    assertThat(drawn(100)).hasSize(7);
  }

  @Test
  void numbersStayInTheirRangeAndReachItsEdges() {
    long[][] ranges = {
      {0, 1},
      {5, 5},
      {-3, 3},
      {1, 400},
      {0, Long.MAX_VALUE},
      {Long.MIN_VALUE, -1},
      {Long.MIN_VALUE, Long.MAX_VALUE},
      {Long.MIN_VALUE, 7},
      {-7, Long.MAX_VALUE},
      {100, 1L << 40}
    };
    for (long[] range : ranges) {
      Set<Long> drawn = new HashSet<>();
      Seeds.check(
          2000,
          values -> {
            long number = values.number(range[0], range[1]);
            assertThat(number).isBetween(range[0], range[1]);
            drawn.add(number);
          });
      assertThat(drawn)
          .contains(range[0], range[1], range[0] == range[1] ? range[0] : range[0] + 1);
      assertThat((double) drawn.size())
          .as("different numbers of %s to %s", range[0], range[1])
          .isGreaterThanOrEqualTo(Math.min(300, ((double) range[1] - range[0]) / 2));
    }
  }

  @Test
  void smallNumbersOfAWideRangeComeOften() {
    int[] small = {0};
    Seeds.check(1000, values -> small[0] += values.number(0, Long.MAX_VALUE) < 1 << 20 ? 1 : 0);
    assertThat(small[0]).isBetween(100, 500);
  }

  @Test
  void theFirstSeedIsTheSmallestAndTheSecondTheLargest() {
    List<Integer> sizes = new ArrayList<>();
    Seeds.check(2, values -> sizes.add(values.list(3, 9, values::anyLong).size()));
    assertThat(sizes).containsExactly(3, 9);
  }

  @Test
  void anEmptyRangeIsRefused() {
    assertThatThrownBy(() -> new Generator(5).number(2, 1))
        .hasMessage("no number is between 2 and 1");
  }

  @Test
  void textsBytesAndDecimalsAreAsLongAndAsLargeAsAsked() {
    Seeds.check(
        500,
        values -> {
          assertThat(values.bytes(2, 30)).hasSizeBetween(2, 30);
          String text = values.text(1, 20, values::anyCodePoint);
          assertThat(text.length()).isBetween(1, 40);
          assertThat(values.decimal(0, 12)).isBetween(0.0, 12.0);
          assertThat(values.oneOf("a", "b")).isIn("a", "b");
          assertThat(values.oneOf(List.of(1, 2, 3))).isIn(1, 2, 3);
        });
  }
}
