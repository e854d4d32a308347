package dev.vfio.migration.connections;

import dev.vfio.migration.connections.NewConnections.Stage;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.ByteToMessageDecoder;
import java.net.SocketAddress;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/**
 * One connection that was accepted, until it is known who it is: nearest to the socket, so that it
 * sees each byte that comes and goes.
 */
public final class NewConnection extends ChannelDuplexHandler {
  /** A TLS record begins with its type, two bytes of version and two of length. */
  private static final int HANDSHAKE = 22;

  private static final int LENGTH_OFFSET = 3;
  private static final int RECORD_HEAD_BYTES = 5;
  private static final int MAX_RECORD_BYTES = 1 << 14;

  private final NewConnections all;
  private final Channel channel;
  private final AddressBlock address;
  private final SocketAddress remote;
  // Guarded by this.
  private Stage stage;
  private boolean kept;
  private boolean released;
  // Of the event loop.
  private ScheduledFuture<?> deadline;
  private volatile boolean closedHere;
  private ByteBuf held;
  private boolean spoke;
  private boolean asks;

  NewConnection(NewConnections all, Channel channel) {
    this.all = all;
    this.channel = channel;
    this.remote = channel.remoteAddress();
    this.address = AddressBlock.of(remote);
  }

  public Channel channel() {
    return channel;
  }

  /** The connection has come to that stage; it never goes back. From any thread. */
  public void reached(Stage next) {
    NewConnection dropped;
    synchronized (this) {
      if (kept || closedHere || (stage != null && stage.compareTo(next) >= 0)) {
        return;
      }
      if (stage != null) {
        all.leave(stage, this);
      }
      stage = next;
      dropped = all.enter(next, this, address);
    }
    if (dropped != null) {
      dropped.drop();
    }
  }

  /**
   * From now on it is not dropped to make room; to be called before what it says is acted on, so
   * that nobody is let in and closed in the same moment.
   *
   * @return false where it is being closed
   */
  public synchronized boolean keep() {
    if (closedHere) {
      return false;
    }
    if (!kept) {
      kept = true;
      if (stage != null) {
        all.leave(stage, this);
      }
    }
    return true;
  }

  /**
   * What it said is refused, so that it is as unknown as before it was {@linkplain #keep kept}: it
   * counts, and may be dropped, while it is told why. In the event loop.
   */
  public void refused() {
    NewConnection dropped;
    synchronized (this) {
      if (!kept || released || stage == null) {
        return;
      }
      kept = false;
      dropped = all.enter(stage, this, address);
    }
    if (dropped != null) {
      dropped.drop();
    }
  }

  /**
   * The caller has said who it is: from now on nothing here bounds the connection. In the event
   * loop.
   */
  public void known() {
    if (!keep()) {
      return;
    }
    release();
    cancelDeadline();
    if (channel.pipeline().context(this) != null) {
      channel.pipeline().remove(this);
    }
  }

  void closed() {
    keep();
    release();
    cancelDeadline();
  }

  private void release() {
    synchronized (this) {
      if (released) {
        return;
      }
      released = true;
    }
    all.release();
  }

  /** To make room. It counts as open until its descriptor is closed. From any thread. */
  private void drop() {
    if (!close()) {
      return;
    }
    all.log()
        .refused(
            "crowded",
            () ->
                String.format(
                    "dropped the connection from %s, which had not said who it is, to let another"
                        + " one in: %s may be open at a time. An agent that is dropped tries again"
                        + " by itself.",
                    remote, all.limits()));
  }

  /** Whether it was closed to make room, or for being late; a line says so already. */
  public boolean closedHere() {
    return closedHere;
  }

  /**
   * Closes the channel at once, past TLS and whatever else would first say goodbye.
   *
   * @return false where it is kept
   */
  private boolean close() {
    synchronized (this) {
      if (kept) {
        return false;
      }
      closedHere = true;
      if (stage != null) {
        all.leave(stage, this);
      }
    }
    ChannelHandlerContext own = channel.pipeline().context(this);
    if (own != null) {
      own.close();
    }
    return true;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    asks = true;
    startDeadline(context);
  }

  private void startDeadline(ChannelHandlerContext context) {
    deadline =
        context
            .channel()
            .eventLoop()
            .schedule(this::late, all.limits().answerTime().toMillis(), TimeUnit.MILLISECONDS);
  }

  private void cancelDeadline() {
    ScheduledFuture<?> running = deadline;
    if (running != null) {
      running.cancel(false);
    }
  }

  private void late() {
    if (!close()) {
      return;
    }
    all.log()
        .refused(
            "late",
            () ->
                String.format(
                    "closed the connection from %s: within %s%s",
                    remote,
                    all.limits().answerTime().toMillis(),
                    all.authenticates()
                        ? " ms it had not said who it is"
                        : " ms no request was complete"));
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object bytes) {
    if (all.authenticates() && !spoke) {
      held =
          held == null
              ? (ByteBuf) bytes
              : ByteToMessageDecoder.MERGE_CUMULATOR.cumulate(
                  context.alloc(), held, (ByteBuf) bytes);
      if (!isWholeRecord(held)) {
        return;
      }
      spoke = true;
      ByteBuf first = held;
      held = null;
      all.firstRecord(this);
      context.fireChannelRead(first);
      return;
    }
    if (!asks && !all.authenticates()) {
      asks = true;
      startDeadline(context);
    }
    context.fireChannelRead(bytes);
  }

  /** Whether the bytes are a whole TLS record, or none at all: TLS then says so. */
  private static boolean isWholeRecord(ByteBuf bytes) {
    if (bytes.getUnsignedByte(bytes.readerIndex()) != HANDSHAKE) {
      return true;
    }
    if (bytes.readableBytes() < RECORD_HEAD_BYTES) {
      return false;
    }
    int length = bytes.getUnsignedShort(bytes.readerIndex() + LENGTH_OFFSET);
    return length > MAX_RECORD_BYTES || bytes.readableBytes() >= RECORD_HEAD_BYTES + length;
  }

  @Override
  public void handlerRemoved(ChannelHandlerContext context) {
    if (held != null) {
      held.release();
      held = null;
    }
  }

  @Override
  public void write(ChannelHandlerContext context, Object bytes, ChannelPromise promise)
      throws Exception {
    reached(Stage.ANSWERED);
    if (!all.authenticates()) {
      asks = false;
      cancelDeadline();
    }
    context.write(bytes, promise);
  }
}
