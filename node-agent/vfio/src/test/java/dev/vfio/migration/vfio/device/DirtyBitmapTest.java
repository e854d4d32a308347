package dev.vfio.migration.vfio.device;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.generators.Seeds;
import java.nio.ByteBuffer;
import java.util.BitSet;
import org.junit.jupiter.api.Test;

/** Exactly the set bits come out, as rising runs that do not touch. */
class DirtyBitmapTest {
  private static final int PAGE = 4096;

  @Test
  void everySetBitOnceInRisingRunsThatDoNotTouch() {
    Seeds.check(
        500,
        values -> {
          int pages = values.integer(1, 400);
          BitSet dirty = CollectedPages.random(pages, values.seed(), values.integer(0, 100));
          ByteBuffer bitmap =
              ByteBuffer.allocate((int) DirtyBitmap.bytesFor(pages))
                  .put(dirty.toByteArray())
                  .clear();
          CollectedPages collected = new CollectedPages(PAGE);
          DirtyRuns runs = new DirtyRuns(0, PAGE, collected);

          DirtyBitmap.walk(bitmap, 0, pages, runs);

          assertThat(runs.finish()).isEqualTo(dirty.cardinality());
          assertThat(collected.pages()).isEqualTo(dirty);
          assertThat(DirtyBitmap.setBehind(bitmap, pages)).isFalse();
        });
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
}
