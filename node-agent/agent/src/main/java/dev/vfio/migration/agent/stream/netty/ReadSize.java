package dev.vfio.migration.agent.stream.netty;

import io.netty.channel.DefaultMaxMessagesRecvByteBufAllocator;

/**
 * How much one read of an accepted connection takes from the socket: little while nobody knows
 * whose it is. TLS keeps a read's whole buffer until a record is complete, so that a caller who
 * sends one byte holds all of it.
 */
final class ReadSize extends DefaultMaxMessagesRecvByteBufAllocator {
  private static final int UNKNOWN_BYTES = 4096;

  private final int knownBytes;
  private volatile int bytes = UNKNOWN_BYTES;

  /**
   * @param knownBytes of each read once the connection is known
   */
  ReadSize(int knownBytes) {
    this.knownBytes = knownBytes;
  }

  void known() {
    bytes = knownBytes;
  }

  @Override
  @SuppressWarnings("deprecation") // What it is replaced by extends it.
  public Handle newHandle() {
    return new MaxMessageHandle() {
      @Override
      public int guess() {
        return bytes;
      }
    };
  }
}
