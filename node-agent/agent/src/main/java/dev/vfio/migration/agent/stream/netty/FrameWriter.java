package dev.vfio.migration.agent.stream.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.nio.ByteBuffer;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.zip.CRC32C;

/**
 * The one writer of a connection. What is to be sent is queued from any thread, in the order in
 * which it was numbered. The event loop encrypts, a slice at a time and only while the socket takes
 * bytes, so that encrypted copies neither pile up nor fall out of the cache.
 */
final class FrameWriter extends ChannelInboundHandlerAdapter {
  private static final int SLICE_BYTES = 128 * 1024;

  private final Queue<Outgoing> queue = new ConcurrentLinkedQueue<>();
  private final AtomicBoolean pumpDue = new AtomicBoolean();
  private volatile OutgoingFrames frames;

  // Set before the connection is handed to anyone.
  private volatile ChannelHandlerContext context;

  // Of the event loop.
  private Outgoing current;
  private int unflushed;
  private boolean wrote;
  private boolean closed;

  /**
   * A frame or greeting, which owns its buffers.
   *
   * @param written runs where the socket took all of it; may be null
   * @param done runs exactly once after that, or once it can never be written; may be null
   */
  private record Outgoing(ByteBuf head, ByteBuf payload, Runnable written, Runnable done) {}

  /**
   * From here on frames may be sent; before it, only greetings.
   *
   * @param numbering whose monitor is held while a frame is numbered and queued
   */
  void beginFrames(OutgoingFrames numbering) {
    frames = numbering;
  }

  void greet(Greeting greeting, Runnable afterwards) {
    queue.add(
        new Outgoing(
            Unpooled.wrappedBuffer(GreetingCodec.encode(greeting)),
            Unpooled.EMPTY_BUFFER,
            null,
            afterwards));
    pumpSoon();
  }

  /**
   * Sends a frame whose payload is copied at once, and which is never sent again.
   *
   * @param payload position to limit
   * @param afterwards runs in the event loop once it was written or could not be; may be null
   */
  void sendSmall(FrameType type, ByteBuffer payload, Runnable afterwards) {
    synchronized (frames) {
      enqueueSmall(type, payload, afterwards);
    }
  }

  private void enqueueSmall(FrameType type, ByteBuffer payload, Runnable afterwards) {
    int length = payload.remaining();
    ByteBuf whole = context.alloc().directBuffer(FrameHeader.BYTES + length);
    ByteBuffer bytes = whole.nioBuffer(0, FrameHeader.BYTES + length);
    frames.stamp(type, 0, 0, length, crcOf(payload), bytes);
    bytes.put(payload.duplicate());
    whole.writerIndex(bytes.position());
    enqueue(whole, Unpooled.EMPTY_BUFFER, null, afterwards);
  }

  /**
   * Queues a frame that was stamped, and takes over both buffers.
   *
   * @param written runs where the socket took all of it; may be null
   * @param done runs exactly once, in some thread: it was written or never will be; may be null
   */
  void enqueue(ByteBuf head, ByteBuf payload, Runnable written, Runnable done) {
    queue.add(new Outgoing(head, payload, written, done));
    pumpSoon();
  }

  /**
   * In the event loop: says that this end is alive, unless something went out or waits, or the end
   * mark was sent: nothing may follow that.
   */
  void pingIfQuiet() {
    if (!wrote && current == null && queue.isEmpty() && !closed) {
      synchronized (frames) {
        if (!frames.ended()) {
          enqueueSmall(FrameType.PING, ByteBuffer.allocate(0), null);
        }
      }
    }
    wrote = false;
  }

  /** CRC32C of position to limit. */
  static int crcOf(ByteBuffer payload) {
    CRC32C crc = new CRC32C();
    crc.update(payload.duplicate());
    return (int) crc.getValue();
  }

  private void pumpSoon() {
    if (pumpDue.compareAndSet(false, true)) {
      try {
        context.executor().execute(this::pump);
      } catch (RejectedExecutionException ended) {
        // The event loops have stopped, and with them every connection: nothing is written any
        // more.
        dropAll();
      }
    }
  }

  private void pump() {
    pumpDue.set(false);
    if (closed) {
      dropAll();
      return;
    }
    while (true) {
      if (current == null) {
        current = queue.poll();
        if (current == null) {
          break;
        }
      }
      if (!context.channel().isWritable()) {
        break;
      }
      writeSome();
      if (unflushed >= SLICE_BYTES) {
        flush();
      }
    }
    flush();
  }

  /** Writes the head with as much of the payload as makes one slice. */
  private void writeSome() {
    Outgoing frame = current;
    ByteBuf payload = frame.payload();
    if (frame.head().isReadable()) {
      int length = frame.head().readableBytes();
      ByteBuf head = frame.head().readRetainedSlice(length);
      unflushed += length;
      if (payload.isReadable()) {
        context.write(head);
      } else {
        finish(frame, head);
        return;
      }
    }
    int length = Math.min(SLICE_BYTES, payload.readableBytes());
    ByteBuf slice = payload.readRetainedSlice(length);
    unflushed += length;
    if (payload.isReadable()) {
      context.write(slice);
    } else {
      finish(frame, slice);
    }
  }

  private void finish(Outgoing frame, ByteBuf last) {
    current = null;
    context
        .write(last)
        .addListener(
            result -> {
              if (result.isSuccess() && frame.written() != null) {
                frame.written().run();
              }
              retire(frame);
            });
  }

  private static void retire(Outgoing frame) {
    frame.head().release();
    frame.payload().release();
    if (frame.done() != null) {
      frame.done().run();
    }
  }

  private void flush() {
    if (unflushed > 0) {
      unflushed = 0;
      wrote = true;
      context.flush();
    }
  }

  private void dropAll() {
    if (current != null) {
      retire(current);
      current = null;
    }
    for (Outgoing frame = queue.poll(); frame != null; frame = queue.poll()) {
      retire(frame);
    }
  }

  @Override
  public void handlerAdded(ChannelHandlerContext added) {
    context = added;
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext ignored) throws Exception {
    if (context.channel().isWritable()) {
      pump();
    }
    super.channelWritabilityChanged(ignored);
  }

  @Override
  public void channelInactive(ChannelHandlerContext ignored) throws Exception {
    closed = true;
    dropAll();
    super.channelInactive(ignored);
  }
}
