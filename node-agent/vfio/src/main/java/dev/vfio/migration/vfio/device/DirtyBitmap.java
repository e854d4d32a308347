package dev.vfio.migration.vfio.device;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Walks bitmaps of dirty pages: little-endian, bit i of byte n is page 8n + i. */
public final class DirtyBitmap {

  private DirtyBitmap() {}

  /** Bytes that hold one bit for each of that many pages. */
  public static long bytesFor(long pages) {
    return pages / Byte.SIZE + (pages % Byte.SIZE == 0 ? 0 : 1);
  }

  /**
   * Hands every run of set bits to the collector.
   *
   * @param bitmap index 0 to limit; holds at least {@code pages} bits
   * @param firstPage number of the page that bit 0 stands for
   * @param pages number of bits that count
   */
  public static void walk(ByteBuffer bitmap, long firstPage, long pages, DirtyRuns into) {
    ByteBuffer bits = bitmap.duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (long base = 0; base < pages; base += Long.SIZE) {
      long word = wordAt(bits, (int) (base / Byte.SIZE));
      long left = pages - base;
      if (left < Long.SIZE) {
        word &= (1L << left) - 1;
      }
      while (word != 0) {
        int start = Long.numberOfTrailingZeros(word);
        int length = Long.numberOfTrailingZeros(~(word >>> start));
        into.dirty(firstPage + base + start, length);
        if (start + length == Long.SIZE) {
          break;
        }
        word &= -1L << (start + length);
      }
    }
  }

  /** Whether a bit behind the last page is set in the byte that holds it. */
  public static boolean setBehind(ByteBuffer bitmap, long pages) {
    int used = (int) (pages % Byte.SIZE);
    return used != 0 && (bitmap.get((int) (pages / Byte.SIZE)) & 0xff) >>> used != 0;
  }

  private static long wordAt(ByteBuffer bits, int at) {
    if (bits.limit() - at >= Long.BYTES) {
      return bits.getLong(at);
    }
    long word = 0;
    for (int i = at; i < bits.limit(); i++) {
      word |= (bits.get(i) & 0xffL) << ((i - at) * Byte.SIZE);
    }
    return word;
  }
}
