package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.Unpooled;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The frames of one stream at the source, over all of its connections: sums and numbers them, and
 * keeps each until the destination says that it was taken, so that another connection can go on
 * where one was lost. What is kept is bounded by the {@link SendRing} of the sender: a buffer goes
 * back to it only once its frames were taken. In version 1, whose destination says nothing of the
 * kind, nothing is kept. Thread-safe; no method waits.
 */
final class SendWindow {
  private final int stream;
  private final ByteBufAllocator memory;
  private final AtomicLong sentBytes;
  private final Object order = new Object();
  private final Deque<Kept> kept = new ArrayDeque<>();
  private OutgoingFrames frames;
  private boolean keeps;
  private FrameWriter writer;
  private long queued;
  private long taken;
  private boolean closed;

  /**
   * What was sent again.
   *
   * @param frames in number
   * @param bytes of their payloads
   */
  record Again(int frames, long bytes) {}

  /** A frame, held by this window and by each writer that has it to write. */
  private final class Kept {
    private final long number;
    private final ByteBuf head;
    private final ByteBuf payload;
    private final int length;
    private final Runnable done;
    private final AtomicInteger holders = new AtomicInteger(1);
    private final AtomicBoolean counted = new AtomicBoolean();

    private Kept(long number, ByteBuf head, ByteBuf payload, Runnable done) {
      this.number = number;
      this.head = head;
      this.payload = payload;
      this.length = payload.readableBytes();
      this.done = done;
    }

    private void give(FrameWriter to) {
      holders.incrementAndGet();
      to.enqueue(head.retainedDuplicate(), payload.retainedDuplicate(), this::count, this::leave);
    }

    private void count() {
      if (counted.compareAndSet(false, true)) {
        sentBytes.addAndGet(length);
      }
    }

    private void leave() {
      if (holders.decrementAndGet() == 0 && done != null) {
        done.run();
      }
    }

    private void drop() {
      head.release();
      payload.release();
      leave();
    }
  }

  /**
   * @param sentBytes counts the payload bytes of device state and memory that a socket took, each
   *     once
   */
  SendWindow(int stream, ByteBufAllocator memory, AtomicLong sentBytes) {
    this.stream = stream;
    this.memory = memory;
    this.sentBytes = sentBytes;
  }

  /** The first connection was let in. */
  void open(FrameWriter first, int version) {
    synchronized (order) {
      frames = new OutgoingFrames(version, stream);
      keeps = version >= Greeting.RESUMABLE_VERSION;
      writer = first;
      first.beginFrames(frames);
    }
  }

  /**
   * Sends a frame whose payload is copied at once.
   *
   * @param payload position to limit
   */
  void sendSmall(FrameType type, ByteBuffer payload) {
    synchronized (frames) {
      enqueueSmall(type, payload);
    }
  }

  /**
   * Sends the stream's last frame.
   *
   * @return the stream's digest
   */
  byte[] sendEnd() {
    synchronized (frames) {
      EndMark mark = frames.endMark();
      enqueueSmall(FrameType.END, mark.encode());
      return mark.digest();
    }
  }

  private void enqueueSmall(FrameType type, ByteBuffer payload) {
    int length = payload.remaining();
    ByteBuf whole = memory.directBuffer(FrameHeader.BYTES + length);
    ByteBuffer bytes = whole.nioBuffer(0, FrameHeader.BYTES + length);
    long number = frames.stamp(type, 0, 0, length, FrameWriter.crcOf(payload), bytes);
    bytes.put(payload.duplicate());
    whole.writerIndex(bytes.position());
    enqueue(new Kept(number, whole, Unpooled.EMPTY_BUFFER, null));
  }

  /**
   * Sends device state or memory without copying it.
   *
   * @param payload direct, position to limit; not to be touched until {@code done}
   * @param done runs exactly once, in some thread: nobody needs the payload any more
   */
  void send(FrameType type, int window, long offset, ByteBuffer payload, Runnable done) {
    int crc = FrameWriter.crcOf(payload);
    ByteBuf head = memory.directBuffer(FrameHeader.BYTES);
    ByteBuffer bytes = head.nioBuffer(0, FrameHeader.BYTES);
    head.writerIndex(FrameHeader.BYTES);
    synchronized (frames) {
      long number = frames.stamp(type, window, offset, payload.remaining(), crc, bytes);
      enqueue(new Kept(number, head, Unpooled.wrappedBuffer(payload), done));
    }
  }

  /** Under the monitor of {@link #frames}, so that the queue has the order of the numbers. */
  private void enqueue(Kept frame) {
    boolean keep;
    synchronized (order) {
      keep = keeps && !closed;
      queued = frame.number + 1;
      if (keep) {
        kept.addLast(frame);
      }
      if (writer != null) {
        frame.give(writer);
      }
    }
    if (!keep) {
      frame.drop();
    }
  }

  /**
   * The destination says that it has taken every frame before that number.
   *
   * @throws StreamException CORRUPT where that cannot be
   */
  void taken(long before) throws StreamException {
    Deque<Kept> free = new ArrayDeque<>();
    synchronized (order) {
      if (before < taken || before > queued) {
        throw corrupt(
            String.format(
                "the destination says that it has taken %s frames, after it said %s, of %s",
                Long.toUnsignedString(before), taken, queued));
      }
      taken = before;
      while (!kept.isEmpty() && kept.peekFirst().number < before) {
        free.addLast(kept.removeFirst());
      }
    }
    free.forEach(Kept::drop);
  }

  /** Frames that the destination has said to have taken. */
  long taken() {
    synchronized (order) {
      return taken;
    }
  }

  /** That connection was lost: what is sent from here on is kept for the next one. */
  void lost(FrameWriter gone) {
    synchronized (order) {
      if (writer == gone) {
        writer = null;
      }
    }
  }

  /**
   * Goes on over another connection.
   *
   * @param next number of the first frame that the destination has not received
   * @throws StreamException CORRUPT where that cannot be
   */
  Again resume(FrameWriter another, long next) throws StreamException {
    synchronized (order) {
      if (next < taken || next > queued) {
        throw corrupt(
            String.format(
                "the destination expects frame %s, after it has taken %s of %s",
                Long.toUnsignedString(next), taken, queued));
      }
      another.beginFrames(frames);
      int count = 0;
      long bytes = 0;
      for (Kept frame : kept) {
        if (frame.number >= next) {
          frame.give(another);
          count++;
          bytes += frame.length;
        }
      }
      writer = another;
      return new Again(count, bytes);
    }
  }

  /** Nothing is sent again any more. Safe to call again. */
  void close() {
    Deque<Kept> free;
    synchronized (order) {
      closed = true;
      writer = null;
      free = new ArrayDeque<>(kept);
      kept.clear();
    }
    free.forEach(Kept::drop);
  }

  private static StreamException corrupt(String what) {
    return new StreamException(Kind.CORRUPT, what);
  }
}
