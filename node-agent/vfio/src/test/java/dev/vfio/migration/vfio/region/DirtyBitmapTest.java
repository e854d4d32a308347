package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Random;
import net.jqwik.api.EdgeCasesMode;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Exactly the set bits come out, as rising runs that do not touch, however the device cuts. */
class DirtyBitmapTest {
  private static final int PAGE = 4096;

  @Property(tries = 500)
  void everySetBitOnceInRisingRunsThatDoNotTouch(
      @ForAll @IntRange(min = 1, max = 400) int pages,
      @ForAll long seed,
      @ForAll @IntRange(max = 100) int density) {
    BitSet dirty = random(pages, seed, density);
    ByteBuffer bitmap =
        ByteBuffer.allocate((int) DirtyBitmap.bytesFor(pages)).put(dirty.toByteArray()).clear();
    Collected collected = new Collected();
    DirtyRuns runs = new DirtyRuns(0, PAGE, collected::run);

    DirtyBitmap.walk(bitmap, 0, pages, runs);

    assertThat(runs.finish()).isEqualTo(dirty.cardinality());
    assertThat(collected.pages).isEqualTo(dirty);
    assertThat(DirtyBitmap.setBehind(bitmap, pages)).isFalse();
  }

  @Property(tries = 500, edgeCases = EdgeCasesMode.NONE)
  void howTheDeviceCutsTheRangeMakesNoDifference(
      @ForAll @IntRange(min = 1, max = 2000) int pages,
      @ForAll long seed,
      @ForAll @IntRange(max = 100) int density,
      @ForAll @IntRange(min = 1, max = 700) int mostCopied)
      throws DeviceException {
    BitSet dirty = random(pages, seed, density);
    Random random = new Random(seed);
    RecordingAccess access = new RecordingAccess(8192);
    Region2018 device = Region2018.open("vfio-user:gpu-0", access, PAGE);
    int from = 0;
    int at = 76;
    while (from < pages) {
      int copied = Math.min(pages - from, 1 + random.nextInt(mostCopied));
      access.answer(68, copied).answer(36, at);
      access.memory().put(at, dirty.get(from, from + copied).toByteArray());
      at += (int) DirtyBitmap.bytesFor(copied);
      from += copied;
    }
    Collected collected = new Collected();
    assertThat(device.dirtyPages(0, pages, collected::run)).isEqualTo(dirty.cardinality());
    assertThat(collected.pages).isEqualTo(dirty);
  }

  @Property(tries = 200)
  void aBitBehindTheLastPageIsSeen(
      @ForAll @IntRange(min = 1, max = 200) int pages, @ForAll @IntRange(max = 7) int bit) {
    int used = pages % 8;
    ByteBuffer bitmap = ByteBuffer.allocate((int) DirtyBitmap.bytesFor(pages));
    bitmap.put(bitmap.limit() - 1, (byte) (1 << bit));
    assertThat(DirtyBitmap.setBehind(bitmap, pages)).isEqualTo(used != 0 && bit >= used);
  }

  private static BitSet random(int pages, long seed, int density) {
    Random random = new Random(seed);
    BitSet bits = new BitSet(pages);
    for (int i = 0; i < pages; i++) {
      bits.set(i, random.nextInt(100) < density);
    }
    return bits;
  }

  private static final class Collected {
    private final BitSet pages = new BitSet();
    private long end = -1;

    void run(long iova, long count) {
      assertThat(iova).as("runs rise and do not touch").isGreaterThan(end);
      assertThat(iova % PAGE).isZero();
      pages.set((int) (iova / PAGE), (int) (iova / PAGE + count));
      end = iova + count * PAGE;
    }
  }
}
