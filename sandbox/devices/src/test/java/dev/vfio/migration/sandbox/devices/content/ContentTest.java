package dev.vfio.migration.sandbox.devices.content;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import java.util.zip.Deflater;
import org.junit.jupiter.api.Test;

class ContentTest {

  @Test
  void pagesDoNotCompress() {
    PageContent content = new PageContent(5);
    ByteBuffer bytes = ByteBuffer.allocate(64 * 4096);
    long[] words = new long[512];
    for (int page = 0; page < 64; page++) {
      content.fill(page, page % 3, words, 512);
      bytes.asLongBuffer().put(words);
      bytes.position(bytes.position() + 4096);
    }
    Deflater deflater = new Deflater(9);
    deflater.setInput(bytes.flip());
    deflater.finish();
    byte[] out = new byte[2 * 64 * 4096];
    assertThat(deflater.deflate(out)).isGreaterThan(64 * 4096 * 99 / 100);
    deflater.end();
  }

  @Test
  void everyWordDependsOnSeedPageAndVersion() {
    Seeds.check(
        200,
        values -> {
          long seed = values.anyLong();
          long page = values.number(0, 1 << 21);
          long version = values.number(0, Long.MAX_VALUE);
          long[] words = content(seed, page, version);
          PageContent same = new PageContent(seed);
          assertThat(same.matches(page, version, words, 512, new long[512])).isTrue();
          assertThat(words[0]).isNotEqualTo(content(seed, page, version + 1)[0]);
          assertThat(words[0]).isNotEqualTo(content(seed, page + 1, version)[0]);
          assertThat(words[0]).isNotEqualTo(content(seed + 1, page, version)[0]);
          words[511] ^= 1;
          assertThat(same.matches(page, version, words, 512, new long[512])).isFalse();
        });
  }

  @Test
  void theWriteOrderVisitsEveryPageOnceARoundAndCanBeInverted() {
    Seeds.check(
        200,
        values -> {
          int pages = values.integer(1, 3000);
          int writes = values.integer(0, 9000);
          WriteOrder order = new WriteOrder(values.anyLong(), pages);
          long[] versions = new long[pages];
          Set<Long> round = new HashSet<>();
          for (int write = 0; write < writes; write++) {
            long page = order.pageOf(write);
            versions[(int) page] = write + 1;
            assertThat(round.add(page)).isTrue();
            if (round.size() == pages) {
              round.clear();
            }
          }
          long first = order.firstOrdinalOf(0);
          for (int page = 0; page < pages; page++) {
            assertThat(order.versionAfter(page, writes)).isEqualTo(versions[page]);
            assertThat(order.versionAt(first, writes)).isEqualTo(versions[page]);
            first = order.firstOrdinalOfNext(first);
          }
        });
  }

  @Test
  void aPaceMeetsItsRateOnAverage() {
    long perStep = WriteRate.perStep(8 << 20, 1_000_000, 4096);
    assertThat(WriteRate.initial(perStep).writesAfter(1000)).isBetween(2047L, 2048L);
    assertThat(WriteRate.perStep(0, 1_000_000, 4096)).isZero();
    assertThat(WriteRate.perStep(1, 1_000_000, 4096)).isPositive();
  }

  @Test
  void aChangedPaceKeepsWhatWasWritten() {
    WriteRate changed = WriteRate.initial(3 << 20).changedAt(10, 1 << 20);
    assertThat(changed.writesAfter(10)).isEqualTo(30);
    assertThat(changed.writesAfter(15)).isEqualTo(35);
  }

  @Test
  void theChainHoldsOnlyIfEveryStepWasDoneOnce() {
    SequencePoint point = SequencePoint.start(9, WriteRate.initial(0), WriteRate.initial(0));
    for (int step = 0; step < 100; step++) {
      point = point.next();
    }
    assertThat(point.chainHolds()).isTrue();
    assertThat(point.repeated().chainHolds()).isFalse();
    SequencePoint skipped =
        new SequencePoint(9, 101, point.chain(), point.devicePace(), point.windowPace());
    assertThat(skipped.chainHolds()).isFalse();
  }

  @Test
  void theDigestFollowsTheVersionsWhateverTheOrder() {
    StateGeometry geometry = new StateGeometry(1 << 20, 4096);
    StatePages fresh = StatePages.fresh(geometry);
    StatePages awaited = StatePages.awaited(geometry);
    fresh.write(7, 3);
    fresh.write(9, 4);
    for (int page = 255; page >= 0; page--) {
      awaited.write(page, page == 9 ? 4 : page == 7 ? 1 : 0);
    }
    assertThat(awaited.missing()).isZero();
    assertThat(awaited.digest()).isNotEqualTo(fresh.digest());
    awaited.write(7, 3);
    assertThat(awaited.digest()).isEqualTo(fresh.digest());
  }

  private static long[] content(long seed, long page, long version) {
    long[] words = new long[512];
    new PageContent(seed).fill(page, version, words, 512);
    return words;
  }
}
