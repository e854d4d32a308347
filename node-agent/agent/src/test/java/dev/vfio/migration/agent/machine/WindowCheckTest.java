package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** What a workload declares costs it nothing, so that its sum is limited before it costs us. */
class WindowCheckTest {
  private static final int PAGE = 4096;
  private static final long GIB = 1L << 30;

  private static WindowSpec window(String name, long iova, long size) {
    return new WindowSpec(name, iova, size);
  }

  @Test
  void asMuchAsIsAllowedCanBeMoved() {
    List<WindowSpec> windows = List.of(window("a", 0, GIB), window("b", 2 * GIB, GIB));

    assertThat(WindowCheck.problem(windows, PAGE, 2 * GIB)).isNull();
    assertThat(WindowCheck.problem(List.of(), PAGE, 0)).isNull();
  }

  @Test
  void theSumOfAllWindowsIsWhatIsLimited() {
    List<WindowSpec> windows = List.of(window("a", 0, GIB), window("b", 2 * GIB, GIB));

    assertThat(WindowCheck.problem(windows, PAGE, 2 * GIB - 1))
        .contains("2147483648 bytes in all (a: 1073741824, b: 1073741824)")
        .contains("at most 2147483647 bytes with one device (agent.maximum-window-memory)");
  }

  @Test
  void aSumBeyondAllNumbersIsStillTooMuch() {
    List<WindowSpec> windows =
        LongStream.range(0, 4)
            .mapToObj(number -> window("w" + number, 0, Long.MAX_VALUE - 4095))
            .toList();

    assertThat(WindowCheck.excess(windows, Long.MAX_VALUE))
        .contains("36893488147419086848 bytes in all (w0: 9223372036854771712, ");
  }

  @Test
  void ofManyWindowsTheLargestAreNamed() {
    List<WindowSpec> windows =
        LongStream.range(0, 1024)
            .mapToObj(number -> window("w" + number, 0, GIB + number))
            .toList();

    assertThat(WindowCheck.excess(windows, 256 * GIB))
        .contains("(w1023: 1073742847, w1022: ", "w1020: 1073742844, ...)")
        .hasSizeLessThan(300);
  }

  @Test
  void bothEndsAskBeforeTheyLookAtAnythingElse() {
    List<WindowSpec> sparse = List.of(window("ring", 1, 8L << 40));

    assertThat(WindowCheck.problem(sparse, PAGE, 256 * GIB))
        .isEqualTo(WindowCheck.excess(sparse, 256 * GIB))
        .contains("ring: 8796093022208");
  }
}
