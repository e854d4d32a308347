package dev.vfio.migration.vfio.linux;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Buffers that the kernel reads and writes, and where they lie in this process's memory. */
public final class NativeMemory {

  private NativeMemory() {}

  /** A direct buffer of zeros in the host's byte order, for a structure of the kernel. */
  public static ByteBuffer allocate(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  /**
   * The address of a direct buffer's index 0. The caller keeps the buffer reachable for as long as
   * the address is used.
   */
  public static long addressOf(ByteBuffer buffer) {
    return LibC.addressOf(buffer);
  }
}
