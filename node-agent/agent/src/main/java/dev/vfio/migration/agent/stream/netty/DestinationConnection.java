package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.FrameType.Direction;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Refusal;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import dev.vfio.migration.connections.NewConnection;
import dev.vfio.migration.connections.NewConnections.Stage;
import dev.vfio.migration.connections.RefusalLog;
import io.netty.channel.Channel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;

/**
 * One connection, at the destination: waits for HELLO, finds whom it is for, then checks frames and
 * hands them to the thread that delivers. Lives in its event loop, except where a method says
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
  private final FrameWriter writer = new FrameWriter(new AtomicLong());
  private final ByteBuffer small = ByteBuffer.allocateDirect(EndMark.BYTES);
  private final KeepAlive keepAlive;
  private final ScheduledFuture<?> helloDeadline;
  private X509Certificate peer;
  private Reception reception;
  private IncomingFrames frames;
  private ReceiveRing ring;
  private volatile DeliveryThread delivery;
  private String description;
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
    if (!(greeting instanceof Hello hello)) {
      throw new StreamException(Kind.CORRUPT, "it began with WELCOME");
    }
    if (!unknown.keep()) {
      throw new StreamException(Kind.BROKEN, "it is being closed to make room for others");
    }
    reception = receptions.admit(hello, peer, this);
    helloDeadline.cancel(false);
    unknown.known();
    channel.config().<ReadSize>getRecvByteBufAllocator().known();
    description =
        "stream " + hello.stream() + " of " + reception.describe() + ", " + channel.remoteAddress();
    Placement placement = new Placement(hello.streams(), hello.chunkBytes());
    frames = new IncomingFrames(hello.stream(), Direction.TO_DESTINATION, placement);
    reader.beginFrames(frames);
    writer.greet(new Welcome(Greeting.VERSION, settings.idleMillis()), null);
    writer.beginFrames(hello.stream());
    keepAlive.ping(writer, hello.idleMillis());
    keepAlive.watch(
        reader,
        settings.idleMillis(),
        () ->
            breakUp(
                new StreamException(
                    Kind.BROKEN,
                    description
                        + ": nothing was heard for "
                        + settings.idleMillis()
                        + " ms; the source's agent or the network between is dead")));
    delivery =
        new DeliveryThread(reception, hello.stream(), hello.migration(), ring, reader::resume);
    delivery.start();
  }

  /** Makes the memory for what it receives; called while it is admitted. */
  void takeRing(MemoryBudget.Room room, int buffers, int chunkBytes) {
    ring = new ReceiveRing(pool, buffers * chunkBytes, room);
  }

  @Override
  public ByteBuffer place(FrameHeader header) {
    return switch (header.type()) {
      case DEVICE_STATE, MEMORY, PAUSED -> delivery.reserve(header.length());
      case END, PING -> small.clear().limit(header.length());
      case LOADED, ERROR ->
          throw new IllegalStateException(header.type() + " does not come to a destination");
    };
  }

  @Override
  public void frame(FrameHeader header, ByteBuffer payload) throws StreamException {
    FrameWork<StreamException> work =
        switch (header.type()) {
          case DEVICE_STATE, MEMORY, PAUSED -> () -> delivery.add(header, payload);
          case PING -> FrameWork.none();
          case END -> () -> end(payload);
          case LOADED, ERROR ->
              throw new StreamException(
                  Kind.CORRUPT, header.type() + " does not come to a destination");
        };
    work.run();
  }

  private void end(ByteBuffer payload) throws StreamException {
    byte[] digest = frames.end(payload);
    // The source has nothing more to say on this connection, so its silence means nothing.
    keepAlive.stopWatching();
    delivery.end(digest, frames.came());
  }

  @Override
  public void failed(Throwable why) {
    boolean known = reception != null;
    String who = known ? description + ": " : "";
    StreamException named = ConnectionFailure.of(why, who, identity.describe(), known);
    if (known) {
      breakUp(named);
    } else {
      refuse(named);
    }
  }

  @Override
  public void closed() {
    helloDeadline.cancel(false);
    keepAlive.stop();
    if (reception != null) {
      if (delivery != null) {
        delivery.readerLeft();
      } else if (ring != null) {
        ring.leave();
        ring.leave();
      }
      reception.connectionClosed(
          this,
          new StreamException(
              Kind.BROKEN, description + ": the source closed the connection before its end mark"));
    } else if (!over && !unknown.closedHere()) {
      refusals.refused("closed", () -> description + ": closed before HELLO");
    }
  }

  /** The connection is nobody's: sends the reason, and closes. */
  private void refuse(StreamException why) {
    if (over || reception != null) {
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

  private void breakUp(StreamException why) {
    reception.fail(why);
    giveUp(why);
  }

  /** Sends the source the reason, once, and closes. From any thread. */
  void giveUp(StreamException why) {
    stopDelivery();
    Transport.run(
        channel.eventLoop(),
        () -> {
          if (over) {
            return;
          }
          over = true;
          keepAlive.stop();
          reader.stop();
          stopDelivery();
          writer.sendSmall(FrameType.ERROR, ErrorReport.of(why).encode(), channel::close);
          closeLater();
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

  private void stopDelivery() {
    DeliveryThread begun = delivery;
    if (begun != null) {
      begun.stop();
    }
  }
}
