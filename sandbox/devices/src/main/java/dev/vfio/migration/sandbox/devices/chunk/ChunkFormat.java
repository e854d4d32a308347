package dev.vfio.migration.sandbox.devices.chunk;

import dev.vfio.migration.sandbox.devices.content.Mix;

/**
 * The device's own format for what it hands out, opaque to everyone who carries it. All of it is
 * 64-bit little-endian words.
 *
 * <pre>
 * chunk     = header, record x count, registers if flagged
 * header    = magic, format | count << 32, stream, sequence, seed, state size,
 *             page size | flags << 32, check                                    (8 words)
 * record    = page, version, content of the page                                (2 words + page)
 * registers = seed, step, chain, device pace (3 words), window pace (3 words), digest, chunks,
 *             window address, window size, 0, 0, check                          (16 words)
 * </pre>
 *
 * A page may come again in a later chunk; the last one wins. The registers come once, from a
 * stopped device, and carry the digest of the whole state, so a lost, stale or foreign chunk is
 * found.
 */
public final class ChunkFormat {
  static final long MAGIC = 0x314B_4E55_4843_4456L; // "VDCHUNK1" in memory
  static final int FORMAT = 1;
  static final int FLAG_REGISTERS = 1;

  static final int HEADER_WORDS = 8;
  static final int RECORD_WORDS = 2;
  static final int REGISTER_WORDS = 16;

  /** Bytes that the registers add to what is pending. */
  public static final int REGISTERS_SIZE = REGISTER_WORDS * Long.BYTES;

  private ChunkFormat() {}

  /** The smallest data area that can carry any chunk of pages of that size, in bytes. */
  public static int smallestArea(int pageSize) {
    return (HEADER_WORDS + RECORD_WORDS + REGISTER_WORDS) * Long.BYTES + pageSize;
  }

  /** The check word over the {@code count} words before it. */
  static long check(long[] words, int count) {
    long check = MAGIC;
    for (int word = 0; word < count; word++) {
      check = Mix.of(check, words[word]);
    }
    return check;
  }
}
