package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A sender's bounded set of chunk buffers, and its bandwidth limit: {@link #acquire} waits for
 * both. Thread-safe. The buffer that came back last goes out first, while caches still know it.
 */
final class SendRing {
  private final DirectMemory pool;
  private final int chunkBytes;
  private final BandwidthLimit limit;
  private final MemoryBudget.Room room;
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition changed = lock.newCondition();
  private final Deque<ByteBuffer> free = new ArrayDeque<>();
  private int unmade;
  private int away;
  private boolean left;
  private StreamException end;

  /**
   * @param room where the memory is reserved; released once all of it came back after the end
   */
  SendRing(
      DirectMemory pool,
      int chunkBytes,
      int buffers,
      BandwidthLimit limit,
      MemoryBudget.Room room) {
    this.pool = pool;
    this.chunkBytes = chunkBytes;
    this.unmade = buffers;
    this.limit = limit;
    this.room = room;
  }

  Chunk acquire() throws StreamException, InterruptedException {
    lock.lockInterruptibly();
    try {
      while (true) {
        if (end != null) {
          throw new StreamException(end.kind(), end.getMessage(), end);
        }
        long delay = limit.delayNanos();
        if (delay > 0) {
          changed.await(delay, TimeUnit.NANOSECONDS);
        } else if (!free.isEmpty()) {
          away++;
          return new Chunk(this, free.removeFirst().clear());
        } else if (unmade > 0) {
          ByteBuffer made = pool.take(chunkBytes);
          unmade--;
          away++;
          return new Chunk(this, made);
        } else {
          changed.await();
        }
      }
    } finally {
      lock.unlock();
    }
  }

  void spend(long bytes) {
    lock.lock();
    try {
      limit.spend(bytes);
    } finally {
      lock.unlock();
    }
  }

  void liftLimit() {
    lock.lock();
    try {
      limit.lift();
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void back(ByteBuffer memory) {
    lock.lock();
    try {
      away--;
      if (end == null) {
        free.addFirst(memory);
        changed.signal();
      } else {
        pool.give(memory);
        leave();
      }
    } finally {
      lock.unlock();
    }
  }

  /** Every {@link #acquire} fails with that from now on. The first call counts. */
  void end(StreamException why) {
    lock.lock();
    try {
      if (end != null) {
        return;
      }
      end = why;
      free.forEach(pool::give);
      free.clear();
      leave();
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }

  private void leave() {
    if (away == 0 && !left) {
      left = true;
      room.release();
    }
  }

  static StreamException closedHere() {
    return new StreamException(Kind.BROKEN, "the state stream was closed at this end");
  }

  /** One buffer on its way: the holder has it, then up to two frames that send parts of it. */
  static final class Chunk implements ChunkBuffer {
    private final SendRing ring;
    private final ByteBuffer memory;
    private boolean held = true;
    private int parts;

    private Chunk(SendRing ring, ByteBuffer memory) {
      this.ring = ring;
      this.memory = memory;
    }

    @Override
    public ByteBuffer bytes() {
      return memory;
    }

    boolean isOf(SendRing candidate) {
      return ring == candidate;
    }

    /** The holder gives the buffer away, to be sent in so many parts. */
    synchronized void sendIn(int count) {
      requireHeld();
      held = false;
      parts = count;
    }

    /** A part was written, or never will be. */
    void partDone() {
      synchronized (this) {
        if (--parts > 0) {
          return;
        }
      }
      ring.back(memory);
    }

    @Override
    public void release() {
      synchronized (this) {
        requireHeld();
        held = false;
      }
      ring.back(memory);
    }

    private void requireHeld() {
      if (!held) {
        throw new IllegalStateException("this chunk buffer was sent or released before");
      }
    }
  }
}
