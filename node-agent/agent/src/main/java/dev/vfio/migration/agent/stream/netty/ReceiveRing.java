package dev.vfio.migration.agent.stream.netty;

import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The bounded memory between a connection's event loop, which reserves a place for each payload,
 * and the thread that delivers, which releases them in the same order. Thread-safe.
 */
final class ReceiveRing {
  /** Bounds the frames that wait where payloads are tiny. */
  static final int MAX_FRAMES = 1024;

  private final DirectMemory pool;
  private final ByteBuffer memory;
  private final MemoryBudget.Room room;
  private final Deque<Integer> starts = new ArrayDeque<>();
  private int head;
  private int users = 2;
  private boolean waited;

  /**
   * @param room where these bytes are reserved; held until nobody uses them any more
   */
  ReceiveRing(DirectMemory pool, int bytes, MemoryBudget.Room room) {
    this.pool = pool;
    this.memory = pool.take(bytes);
    this.room = room;
    room.hold();
  }

  /**
   * A place for {@code length} bytes, position 0 to limit; or null where there is none now: then
   * {@link #release} says when to ask again.
   */
  synchronized ByteBuffer reserve(int length) {
    int start = starts.size() < MAX_FRAMES ? place(length) : -1;
    if (start < 0) {
      waited = true;
      return null;
    }
    starts.addLast(start);
    head = start + length;
    return memory.slice(start, length);
  }

  private int place(int length) {
    if (starts.isEmpty()) {
      return length <= memory.capacity() ? 0 : -1;
    }
    int tail = starts.peekFirst();
    if (head > tail) {
      if (memory.capacity() - head >= length) {
        return head;
      }
      return tail >= length ? 0 : -1;
    }
    return tail - head >= length && (length == 0 || tail > head) ? head : -1;
  }

  /** Gives the newest place back, which nobody will fill. */
  synchronized void unreserve() {
    head = starts.removeLast();
  }

  /**
   * Gives the oldest place back.
   *
   * @return true where a {@link #reserve} had failed: it is worth another try
   */
  synchronized boolean release() {
    starts.removeFirst();
    boolean worthIt = waited;
    waited = false;
    return worthIt;
  }

  /** Each of the two users says once that it will not touch the memory again. */
  synchronized void leave() {
    if (--users == 0) {
      pool.give(memory);
      room.release();
    }
  }

  /** Frames that wait or are being delivered. */
  synchronized int frames() {
    return starts.size();
  }
}
