package dev.vfio.migration.agent.stream.netty;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Iterator;

/**
 * Direct buffers that outlive one migration, so that the next one need not wait for the garbage
 * collector to give their memory back. Never frees memory under a buffer that someone still holds:
 * what is not given back is simply collected. Thread-safe.
 */
final class DirectMemory {
  private final long keptBytes;
  private final Deque<ByteBuffer> idle = new ArrayDeque<>();
  private long idleBytes;

  /**
   * @param keptBytes how much may lie idle
   */
  DirectMemory(long keptBytes) {
    this.keptBytes = keptBytes;
  }

  /** A cleared direct buffer of exactly that capacity in bytes; its content is arbitrary. */
  ByteBuffer take(int bytes) {
    synchronized (this) {
      for (Iterator<ByteBuffer> each = idle.iterator(); each.hasNext(); ) {
        ByteBuffer buffer = each.next();
        if (buffer.capacity() == bytes) {
          each.remove();
          idleBytes -= bytes;
          return buffer.clear();
        }
      }
    }
    return ByteBuffer.allocateDirect(bytes);
  }

  /** Nobody may touch the buffer after this. */
  synchronized void give(ByteBuffer buffer) {
    idle.addFirst(buffer);
    idleBytes += buffer.capacity();
    while (idleBytes > keptBytes) {
      idleBytes -= idle.removeLast().capacity();
    }
  }

  synchronized long idleBytes() {
    return idleBytes;
  }
}
