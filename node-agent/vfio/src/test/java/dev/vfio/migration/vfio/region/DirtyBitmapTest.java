package dev.vfio.migration.vfio.region;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Seeds;
import dev.vfio.migration.vfio.device.DeviceException;
import java.nio.ByteBuffer;
import java.util.BitSet;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Exactly the set bits come out, as rising runs that do not touch, however the device cuts. */
class DirtyBitmapTest {
  private static final int PAGE = 4096;

  @Test
  void everySetBitOnceInRisingRunsThatDoNotTouch() {
    Seeds.check(
        500,
        values -> {
          int pages = values.integer(1, 400);
          BitSet dirty = random(pages, values.seed(), values.integer(0, 100));
          ByteBuffer bitmap =
              ByteBuffer.allocate((int) DirtyBitmap.bytesFor(pages))
                  .put(dirty.toByteArray())
                  .clear();
          Collected collected = new Collected();
          DirtyRuns runs = new DirtyRuns(0, PAGE, collected::run);

          DirtyBitmap.walk(bitmap, 0, pages, runs);

          assertThat(runs.finish()).isEqualTo(dirty.cardinality());
          assertThat(collected.pages).isEqualTo(dirty);
          assertThat(DirtyBitmap.setBehind(bitmap, pages)).isFalse();
        });
  }

  @Test
  void howTheDeviceCutsTheRangeMakesNoDifference() {
    Seeds.check(
        500,
        values ->
            cutMakesNoDifference(
                values.integer(1, 2000),
                values.seed(),
                values.integer(0, 100),
                values.integer(1, 700)));
  }

  private static void cutMakesNoDifference(int pages, long seed, int density, int mostCopied)
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

  @Test
  void aBitBehindTheLastPageIsSeen() {
    for (int pages = 1; pages <= 200; pages++) {
      for (int bit = 0; bit < 8; bit++) {
        int used = pages % 8;
        ByteBuffer bitmap = ByteBuffer.allocate((int) DirtyBitmap.bytesFor(pages));
        bitmap.put(bitmap.limit() - 1, (byte) (1 << bit));
        assertThat(DirtyBitmap.setBehind(bitmap, pages))
            .as("bit %s of the last byte for %s pages", bit, pages)
            .isEqualTo(used != 0 && bit >= used);
      }
    }
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
