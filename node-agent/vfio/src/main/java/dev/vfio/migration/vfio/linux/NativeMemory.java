package dev.vfio.migration.vfio.linux;

import java.nio.ByteBuffer;

/** Where direct buffers lie in this process's memory. */
public final class NativeMemory {

  private NativeMemory() {}

  /**
   * The address of a direct buffer's index 0. The caller keeps the buffer reachable for as long as
   * the address is used.
   */
  public static long addressOf(ByteBuffer buffer) {
    return LibC.addressOf(buffer);
  }
}
