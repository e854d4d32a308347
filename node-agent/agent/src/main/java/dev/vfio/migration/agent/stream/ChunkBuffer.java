package dev.vfio.migration.agent.stream;

import java.nio.ByteBuffer;

/**
 * A direct buffer out of the sender's bounded ring. Whoever holds it fills {@link #bytes()} from
 * position 0 and gives it back by sending it or by {@link #release()}; after that it must not be
 * touched.
 */
public interface ChunkBuffer {

  /**
   * Direct, native order not set (bytes only); its capacity is the largest chunk that one frame
   * carries.
   */
  ByteBuffer bytes();

  /** Gives the buffer back unsent. */
  void release();
}
