package dev.vfio.migration.sandbox.devices.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.HashSet;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DirtyLogTest {
  private static final long ADDRESS = 1L << 32;
  private static final int PAGES = 1000;

  @Test
  void everyDirtyPageIsReportedOnceAndInTurns() {
    Seeds.check(
        300,
        values ->
            isReportedOnce(
                new HashSet<>(values.list(0, 255, () -> values.integer(0, PAGES - 1))),
                values.integer(1, 20)));
  }

  private static void isReportedOnce(Set<Integer> dirty, int wordsPerReport)
      throws RefusalException {
    DirtyLog log = new DirtyLog(ADDRESS, 4096, PAGES, wordsPerReport * 64);
    dirty.forEach(log::mark);
    BitSet reported = new BitSet();
    int first = 0;
    int covered = log.report(ADDRESS, PAGES, ByteBuffer.allocate(1 << 16));
    while (first < PAGES) {
      ByteBuffer bitmap = ByteBuffer.allocate(1 << 16);
      covered = report(log, first, bitmap, first == 0 ? covered : -1);
      if (covered == 0) {
        break;
      }
      assertThat(covered).isLessThanOrEqualTo(Math.min(wordsPerReport * 64, PAGES - first));
      for (int page = 0; page < covered; page++) {
        if ((bitmap.get(page / 8) >> page % 8 & 1) != 0) {
          reported.set(first + page);
        }
      }
      first += covered;
    }
    BitSet expected = new BitSet();
    dirty.forEach(expected::set);
    assertThat(reported).isEqualTo(expected);
    assertThat(log.report(ADDRESS, PAGES, ByteBuffer.allocate(1 << 16))).isZero();
  }

  /** The first report is made again from what a client that left has not read. */
  private static int report(DirtyLog log, int first, ByteBuffer bitmap, int lost)
      throws RefusalException {
    if (lost >= 0) {
      log.clientLeft();
    }
    return log.report(ADDRESS + first * 4096L, PAGES - first, bitmap);
  }

  @Test
  void noDirtyPageInTheRangeMeansNothingIsCopied() throws RefusalException {
    DirtyLog log = new DirtyLog(ADDRESS, 4096, PAGES, 64);
    log.mark(500);
    assertThat(log.report(ADDRESS, 500, ByteBuffer.allocate(64))).isZero();
    assertThat(log.report(ADDRESS, 501, ByteBuffer.allocate(64))).isEqualTo(64);
    assertThat(log.dirtyPages()).as("the part not reached is kept").isEqualTo(1);
  }

  @Test
  void theAreaLimitsWhatOneReportCovers() throws RefusalException {
    DirtyLog log = new DirtyLog(ADDRESS, 4096, PAGES, 1 << 30);
    log.mark(900);
    assertThat(log.report(ADDRESS, PAGES, ByteBuffer.allocate(20))).isEqualTo(128);
  }

  @ParameterizedTest
  @CsvSource({
    "4294963200, 1", // before the window
    "4294967297, 1", // not on a page
    "4294967296, 0",
    "4294967296, 1001",
    "4294967296, -1",
    "4299063296, 1", // behind the window
    "-4096, 1"
  })
  void aRangeThatIsNotTheWindowsIsRefused(long start, long total) {
    DirtyLog log = new DirtyLog(ADDRESS, 4096, PAGES, 64);
    DeviceModelTest.refused(
        Errno.EINVAL, () -> log.report(start, total, ByteBuffer.allocate(1 << 16)));
  }
}
