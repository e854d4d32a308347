package dev.vfio.migration.sandbox.devices.content;

/**
 * How the device state divides into pages; the last one may be short. Immutable.
 *
 * @param stateSize bytes, 1 KiB to 8 GiB, a multiple of 8
 * @param pageSize bytes, a power of two from 4096 to 65536
 */
public record StateGeometry(long stateSize, int pageSize) {
  private static final long SMALLEST = 1L << 10;
  private static final long LARGEST = 1L << 33;
  private static final int SMALLEST_PAGE = 4096;

  public StateGeometry {
    if (stateSize < SMALLEST || stateSize > LARGEST || stateSize % Long.BYTES != 0) {
      throw new IllegalArgumentException(
          "the state size must be 1KiB to 8GiB and a multiple of 8 bytes, not " + stateSize);
    }
    if (pageSize < SMALLEST_PAGE
        || pageSize > PageContent.MAX_PAGE_SIZE
        || Integer.bitCount(pageSize) != 1) {
      throw new IllegalArgumentException(
          "the page size must be a power of two from 4096 to 65536, not " + pageSize);
    }
  }

  /** How many pages the state has, 1 to 2^21. */
  public int pages() {
    return (int) ((stateSize + pageSize - 1) / pageSize);
  }

  /** Bytes of that page. */
  public int lengthOf(long page) {
    return (int) Math.min(pageSize, stateSize - page * pageSize);
  }

  /** 64-bit words of that page. */
  public int wordsOf(long page) {
    return lengthOf(page) / Long.BYTES;
  }

  /** 64-bit words of a whole page. */
  public int wordsOfPage() {
    return pageSize / Long.BYTES;
  }
}
