package dev.vfio.migration.vfio.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.BitSet;
import java.util.Random;

/** Collects the pages of a report, and fails where its runs do not rise or touch each other. */
public final class CollectedPages implements DirtyPages {
  private final int pageSize;
  private final BitSet pages = new BitSet();
  private long end = -1;

  public CollectedPages(int pageSize) {
    this.pageSize = pageSize;
  }

  /** A set of that many pages, of which {@code density} in a hundred are dirty. */
  public static BitSet random(int pages, long seed, int density) {
    Random random = new Random(seed);
    BitSet bits = new BitSet(pages);
    for (int i = 0; i < pages; i++) {
      bits.set(i, random.nextInt(100) < density);
    }
    return bits;
  }

  @Override
  public void run(long iova, long count) {
    assertThat(iova).as("runs rise and do not touch").isGreaterThan(end);
    assertThat(iova % pageSize).isZero();
    pages.set((int) (iova / pageSize), (int) (iova / pageSize + count));
    end = iova + count * pageSize;
  }

  public BitSet pages() {
    return pages;
  }
}
