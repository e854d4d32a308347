package dev.vfio.migration.sandbox.devices.content;

import java.util.Arrays;

/**
 * What a page holds, as a function of (seed, page, version): nobody needs to keep the bytes.
 *
 * <p>A page is a piece of a constant block of random words, taken at an offset and XORed with a key
 * that both follow from (seed, page, version). So pages do not compress, every version of every
 * page differs from every other in every word, and a page is made at the speed of a memory copy.
 *
 * <p>Immutable and thread-safe; callers bring the scratch arrays.
 */
public final class PageContent {
  /** The largest page, in bytes. */
  public static final int MAX_PAGE_SIZE = 65536;

  private static final int OFFSETS = 2048;
  private static final long[] BLOCK = randomBlock(OFFSETS + MAX_PAGE_SIZE / Long.BYTES);

  private final long seed;

  /** Content of the pages that {@code seed} stands for; two seeds share no page. */
  public PageContent(long seed) {
    this.seed = Mix.of(seed);
  }

  /** Writes the first {@code count} words of the page's content to {@code words}. */
  public void fill(long page, long version, long[] words, int count) {
    long key = Mix.of(seed, page, version);
    exclusiveOr(BLOCK, (int) (key >>> 53), key, words, count);
  }

  /**
   * Whether {@code words} hold exactly the content of that page in that version.
   *
   * @param scratch overwritten; at least {@code count} long
   */
  public boolean matches(long page, long version, long[] words, int count, long[] scratch) {
    fill(page, version, scratch, count);
    return Arrays.equals(words, 0, count, scratch, 0, count);
  }

  /** A loop of its own, with nothing but array accesses, so that the compiler vectorizes it. */
  private static void exclusiveOr(long[] block, int from, long key, long[] words, int count) {
    for (int word = 0; word < count; word++) {
      words[word] = block[from + word] ^ key;
    }
  }

  private static long[] randomBlock(int words) {
    long[] block = new long[words];
    for (int word = 0; word < words; word++) {
      block[word] = Mix.of(0x5EED_B10CL, word);
    }
    return block;
  }
}
