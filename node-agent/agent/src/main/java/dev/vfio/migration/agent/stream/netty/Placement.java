package dev.vfio.migration.agent.stream.netty;

/**
 * Which stream carries which bytes of the DMA windows: blocks of {@code blockBytes} go round the
 * streams, {@code (window + offset / blockBytes) mod streams}. The same place therefore always
 * travels on the same stream, so that a page sent again arrives after the page it replaces. A frame
 * never crosses a block's border.
 *
 * @param streams connections, at least 1
 * @param blockBytes the chunk size that HELLO announced
 */
record Placement(int streams, int blockBytes) {

  int streamOf(int window, long offset) {
    return (int) Long.remainderUnsigned(window + offset / blockBytes, streams);
  }

  /** Bytes of a send at {@code offset} that belong into its first frame. */
  int withinBlock(long offset, int length) {
    return (int) Math.min(length, blockBytes - offset % blockBytes);
  }

  boolean isWithinBlock(long offset, int length) {
    return withinBlock(offset, length) == length;
  }
}
