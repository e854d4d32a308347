package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Refusal;
import dev.vfio.migration.agent.stream.netty.Greeting.Resume;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import dev.vfio.migration.connections.NewConnection;
import dev.vfio.migration.connections.NewConnections.Stage;
import dev.vfio.migration.connections.RefusalLog;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One connection, at the destination: waits for HELLO or RESUME, finds which stream it is for, then
 * checks frames and hands them to that. Lives in its event loop, except where a method says
 * otherwise.
 */
final class DestinationConnection implements ConnectionReader.Owner {
  private final Channel channel;
  private final StreamSettings settings;
  private final TlsIdentity identity;
  private final Receptions receptions;
  private final RefusalLog refusals;
  private final NewConnection unknown;
  private final DirectMemory pool;
  private final ConnectionReader reader = new ConnectionReader(this);
  private final FrameWriter writer = new FrameWriter();
  private final ByteBuffer small = ByteBuffer.allocateDirect(EndMark.BYTES);
  private final KeepAlive keepAlive;
  private final ScheduledFuture<?> helloDeadline;
  private final AtomicBoolean takenDue = new AtomicBoolean();
  private final AtomicLong taken = new AtomicLong();
  private X509Certificate peer;
  private IncomingStream stream;
  private int sourceIdleMillis;
  private String description;
  private boolean attached;
  private boolean detached;
  private boolean over;

  /**
   * @param unknown what was accepted, and has just said something
   * @param refusals hears why it was refused, where it was before it was known
   */
  DestinationConnection(
      NewConnection unknown,
      SslContext tls,
      StreamSettings settings,
      TlsIdentity identity,
      DirectMemory pool,
      Receptions receptions,
      RefusalLog refusals) {
    this.unknown = unknown;
    this.channel = unknown.channel();
    this.settings = settings;
    this.identity = identity;
    this.pool = pool;
    this.receptions = receptions;
    this.refusals = refusals;
    this.keepAlive = new KeepAlive(channel.eventLoop());
    this.description = "a state stream from " + channel.remoteAddress();
    SslHandler encryption = tls.newHandler(channel.alloc());
    encryption.setHandshakeTimeoutMillis(settings.handshakeTimeout().toMillis());
    encryption.setCloseNotifyFlushTimeoutMillis(settings.closeTimeout().toMillis());
    channel
        .pipeline()
        .addLast(
            new LingeringClose(settings.closeTimeout().toMillis()), encryption, writer, reader);
    long timeout = settings.handshakeTimeout().plus(settings.helloTimeout()).toMillis();
    helloDeadline =
        channel
            .eventLoop()
            .schedule(
                () ->
                    refuse(
                        new StreamException(
                            Kind.BROKEN, "no HELLO came within " + timeout + " ms")),
                timeout,
                TimeUnit.MILLISECONDS);
  }

  @Override
  public void secured(X509Certificate certificate) {
    peer = certificate;
    unknown.reached(Stage.CERTIFIED);
  }

  @Override
  public void greeting(Greeting greeting) throws StreamException {
    if (greeting instanceof Refusal refusal) {
      throw new StreamException(
          refusal.report().kind(), "the source refused: " + refusal.report().message());
    }
    if (!unknown.keep()) {
      throw new StreamException(Kind.BROKEN, "it is being closed to make room for others");
    }
    if (greeting instanceof Hello hello) {
      sourceIdleMillis = hello.idleMillis();
      stream = receptions.admit(hello, peer, this);
    } else if (greeting instanceof Resume resume) {
      sourceIdleMillis = resume.idleMillis();
      stream = receptions.resume(resume, peer);
    } else {
      throw new StreamException(Kind.CORRUPT, "it began with WELCOME");
    }
    helloDeadline.cancel(false);
    unknown.known();
    channel.config().<ReadSize>getRecvByteBufAllocator().known();
    description = stream.describe() + ", " + channel.remoteAddress();
    // Nothing comes before WELCOME.
    reader.pause();
    stream.attach(this);
  }

  /** It is the one that brings its stream from here on. From any thread. */
  void attached() {
    Transport.run(channel.eventLoop(), this::begin);
  }

  private void begin() {
    if (over || detached) {
      return;
    }
    attached = true;
    int version = stream.version();
    reader.beginFrames(stream.frames());
    writer.greet(
        new Welcome(version, settings.idleMillis(), stream.key(), stream.frames().next()), null);
    writer.beginFrames(new OutgoingFrames(version, stream.index()));
    keepAlive.ping(writer, sourceIdleMillis);
    if (!stream.ended()) {
      keepAlive.watch(
          reader,
          settings.idleMillis(),
          () ->
              failed(
                  new StreamException(
                      Kind.BROKEN,
                      "nothing was heard for "
                          + settings.idleMillis()
                          + " ms; the source's agent or the network between is dead")));
    }
    stream.began(this);
    reader.resume();
  }

  /** Makes the memory for what its stream receives; called while it is admitted. */
  ReceiveRing ring(MemoryBudget.Room room, int buffers, int chunkBytes) {
    return new ReceiveRing(pool, buffers * chunkBytes, room);
  }

  @Override
  public ByteBuffer place(FrameHeader header) {
    return switch (header.type()) {
      case DEVICE_STATE, MEMORY, PAUSED -> stream.reserve(header.length());
      case END, PING -> small.clear().limit(header.length());
      case LOADED, ERROR, TAKEN ->
          throw new IllegalStateException(header.type() + " does not come to a destination");
    };
  }

  @Override
  public void frame(FrameHeader header, ByteBuffer payload) throws StreamException {
    FrameWork<StreamException> work =
        switch (header.type()) {
          case DEVICE_STATE, MEMORY, PAUSED -> () -> stream.add(header, payload);
          case PING -> FrameWork.none();
          case END -> () -> end(payload);
          case LOADED, ERROR, TAKEN ->
              throw new StreamException(
                  Kind.CORRUPT, header.type() + " does not come to a destination");
        };
    work.run();
  }

  private void end(ByteBuffer payload) throws StreamException {
    stream.end(payload);
    // The source has nothing more to say on this connection, so its silence means nothing.
    keepAlive.stopWatching();
  }

  @Override
  public void failed(Throwable why) {
    boolean known = stream != null;
    String who = known ? description + ": " : "";
    StreamException named = ConnectionFailure.of(why, who, identity.describe(), known);
    if (!known) {
      refuse(named);
    } else if (named.kind() == Kind.BROKEN && stream.version() >= Greeting.RESUMABLE_VERSION) {
      lost(named);
    } else if (attached && !detached) {
      stream.fail(named);
      giveUp(named);
    } else {
      hangUp();
    }
  }

  @Override
  public void closed() {
    helloDeadline.cancel(false);
    keepAlive.stop();
    if (stream != null) {
      detach(
          new StreamException(
              Kind.BROKEN, description + ": the source closed the connection before its end mark"),
          !over && !reader.saidGoodbye());
    } else if (!over && !unknown.closedHere()) {
      refusals.refused("closed", () -> description + ": closed before HELLO");
    }
  }

  /** The network failed, and nobody judged: the source may come back with another connection. */
  private void lost(StreamException why) {
    keepAlive.stop();
    boolean more = !over && !reader.saidGoodbye();
    over = true;
    reader.stop();
    detach(why, more);
    abort();
  }

  /** Not through TLS, which would say that this end closes for good. */
  private void abort() {
    ChannelHandlerContext encryption = channel.pipeline().context(SslHandler.class);
    if (encryption == null) {
      channel.close();
    } else {
      encryption.close();
    }
  }

  /** A newer connection is to bring its stream: reads nothing more. From any thread. */
  void replaced() {
    Transport.run(
        channel.eventLoop(),
        () -> {
          keepAlive.stop();
          over = true;
          reader.stop();
          detach(
              new StreamException(
                  Kind.BROKEN, description + ": a newer connection of the source took its place"),
              true);
          abort();
        });
  }

  private void detach(StreamException why, boolean more) {
    if (!detached) {
      detached = true;
      stream.gone(this, reader.halfRead(), why, more);
    }
  }

  /** There may be room again. From any thread. */
  void resumeReading() {
    reader.resume();
  }

  /** Runs a task in the event loop after a time. From any thread. */
  void later(Runnable task, Duration delay) {
    try {
      channel.eventLoop().schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
    } catch (RejectedExecutionException stopped) {
      // The agent ends, and has told the sink so.
      return;
    }
  }

  @Override
  public String toString() {
    return description;
  }

  /** The connection is nobody's: sends the reason, and closes. */
  private void refuse(StreamException why) {
    if (over || stream != null) {
      return;
    }
    over = true;
    unknown.refused();
    helloDeadline.cancel(false);
    reader.stop();
    if (!unknown.closedHere()) {
      // Strangers must not use up the lines of our own agents.
      String whose = peer == null ? "" : ", certified";
      refusals.refused(
          why.kind() + whose, () -> "refused " + description + ": " + why.getMessage());
    }
    if (peer != null) {
      writer.greet(new Refusal(ErrorReport.of(why)), channel::close);
    }
    // Else TLS did not come about: its own alert informs the other end, and it closes.
    closeLater();
  }

  /** The last words may find no way out. */
  private void closeLater() {
    ScheduledFuture<?> deadline =
        channel
            .eventLoop()
            .schedule(
                () -> channel.close(), settings.closeTimeout().toMillis(), TimeUnit.MILLISECONDS);
    channel.closeFuture().addListener(closed -> deadline.cancel(false));
  }

  /** Sends the source the reason, once, and closes. From any thread. */
  void giveUp(StreamException why) {
    Transport.run(
        channel.eventLoop(),
        () -> {
          if (over) {
            return;
          }
          over = true;
          keepAlive.stop();
          reader.stop();
          if (attached) {
            writer.sendSmall(FrameType.ERROR, ErrorReport.of(why).encode(), channel::close);
          } else {
            writer.greet(new Refusal(ErrorReport.of(why)), channel::close);
          }
          closeLater();
        });
  }

  /** Tells the source how many frames were taken, the newest number only. From any thread. */
  void sendTaken(long before) {
    taken.accumulateAndGet(before, Math::max);
    if (takenDue.compareAndSet(false, true)) {
      Transport.run(channel.eventLoop(), this::tellTaken);
    }
  }

  private void tellTaken() {
    if (over || !attached) {
      // Where it is attached later, it is told what was taken until then.
      takenDue.set(false);
      return;
    }
    long before = taken.get();
    writer.sendSmall(
        FrameType.TAKEN,
        ByteBuffer.allocate(Long.BYTES).putLong(before).flip(),
        () -> {
          takenDue.set(false);
          if (taken.get() != before) {
            sendTaken(before);
          }
        });
  }

  /** Tells the source that all is loaded. From any thread. */
  void sendLoaded(byte[] loadedDigest) {
    Transport.run(
        channel.eventLoop(),
        () -> {
          keepAlive.stop();
          if (!over) {
            writer.sendSmall(FrameType.LOADED, ByteBuffer.wrap(loadedDigest), null);
          }
        });
  }

  /** All is loaded, and another stream tells the source. From any thread. */
  void stopKeepAlive() {
    Transport.run(channel.eventLoop(), keepAlive::stop);
  }

  /** Closes without a word: all has been said. From any thread. */
  void hangUp() {
    Transport.run(
        channel.eventLoop(),
        () -> {
          over = true;
          keepAlive.stop();
          channel.close();
        });
  }
}
