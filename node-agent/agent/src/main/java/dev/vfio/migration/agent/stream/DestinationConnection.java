package dev.vfio.migration.agent.stream;

import dev.vfio.migration.agent.stream.FrameType.Direction;
import dev.vfio.migration.agent.stream.Greeting.Hello;
import dev.vfio.migration.agent.stream.Greeting.Refusal;
import dev.vfio.migration.agent.stream.Greeting.Welcome;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import io.netty.channel.Channel;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jboss.logging.Logger;

/**
 * One connection, at the destination: waits for HELLO, finds whom it is for, then checks frames and
 * hands them to the thread that delivers. Lives in its event loop, except where a method says
 * otherwise.
 */
final class DestinationConnection implements ConnectionReader.Owner {
  private static final Logger LOG = Logger.getLogger(DestinationConnection.class);

  private final Channel channel;
  private final StreamSettings settings;
  private final TlsIdentity identity;
  private final Receptions receptions;
  private final Runnable onIntroduced;
  private final DirectMemory pool;
  private final ConnectionReader reader = new ConnectionReader(this);
  private final FrameWriter writer = new FrameWriter(new AtomicLong());
  private final ByteBuffer small = ByteBuffer.allocateDirect(EndMark.BYTES);
  private final KeepAlive keepAlive;
  private final ScheduledFuture<?> helloDeadline;
  private X509Certificate peer;
  private Reception reception;
  private IncomingFrames frames;
  private volatile Delivery delivery;
  private String description;
  private boolean introduced;
  private boolean over;

  /**
   * @param onIntroduced called once: the connection has said who it is, or has gone
   */
  DestinationConnection(
      Channel channel,
      SslContext tls,
      StreamSettings settings,
      TlsIdentity identity,
      DirectMemory pool,
      Receptions receptions,
      Runnable onIntroduced) {
    this.channel = channel;
    this.settings = settings;
    this.identity = identity;
    this.pool = pool;
    this.receptions = receptions;
    this.onIntroduced = onIntroduced;
    this.keepAlive = new KeepAlive(channel.eventLoop());
    this.description = "a state stream from " + channel.remoteAddress();
    SslHandler encryption = tls.newHandler(channel.alloc());
    encryption.setHandshakeTimeoutMillis(settings.handshakeTimeout().toMillis());
    encryption.setCloseNotifyFlushTimeoutMillis(settings.closeTimeout().toMillis());
    channel
        .pipeline()
        .addLast(
            new LingeringClose(settings.closeTimeout().toMillis()), encryption, writer, reader);
    long patience = settings.handshakeTimeout().plus(settings.helloTimeout()).toMillis();
    helloDeadline =
        channel
            .eventLoop()
            .schedule(
                () ->
                    refuse(
                        new StreamException(
                            Kind.BROKEN, "no HELLO came within " + patience + " ms")),
                patience,
                TimeUnit.MILLISECONDS);
  }

  @Override
  public void secured(X509Certificate certificate) {
    peer = certificate;
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
    reception = receptions.admit(hello, peer, this);
    leaveUnknown();
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
    ReceiveRing ring =
        new ReceiveRing(pool, settings.receiveBuffersFor(hello.chunkBytes()) * hello.chunkBytes());
    delivery = new Delivery(reception, hello.stream(), hello.migration(), ring, reader::resume);
    delivery.start();
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
    switch (header.type()) {
      case DEVICE_STATE, MEMORY, PAUSED -> delivery.add(header, payload);
      case PING -> {
        // That it came is all it says.
      }
      case END -> {
        byte[] digest = frames.end(payload);
        // The source has nothing more to say on this connection, so its silence means nothing.
        keepAlive.stopWatching();
        delivery.end(digest);
      }
      case LOADED, ERROR ->
          throw new StreamException(
              Kind.CORRUPT, header.type() + " does not come to a destination");
    }
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
    leaveUnknown();
    helloDeadline.cancel(false);
    keepAlive.stop();
    if (reception != null) {
      if (delivery != null) {
        delivery.readerLeft();
      }
      reception.connectionClosed(
          this,
          new StreamException(
              Kind.BROKEN, description + ": the source closed the connection before its end mark"));
    } else if (!over) {
      LOG.warnf("%s: closed before HELLO", description);
    }
  }

  /** The connection is nobody's: tells why, and closes. */
  private void refuse(StreamException why) {
    if (over || reception != null) {
      return;
    }
    over = true;
    leaveUnknown();
    reader.stop();
    LOG.warnf("refused %s: %s", description, why.getMessage());
    if (peer != null) {
      writer.greet(new Refusal(ErrorReport.of(why)), channel::close);
    }
    // Else TLS did not come about: its own alert tells the other end, and it closes.
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

  /** Tells the source why, once, and closes. From any thread. */
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

  /** Tells the source that all is loaded, or is quiet on the other streams. From any thread. */
  void rest(byte[] loadedDigest, boolean tells) {
    Transport.run(
        channel.eventLoop(),
        () -> {
          keepAlive.stop();
          if (tells && !over) {
            writer.sendSmall(FrameType.LOADED, ByteBuffer.wrap(loadedDigest), null);
          }
        });
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
    Delivery begun = delivery;
    if (begun != null) {
      begun.stop();
    }
  }

  private void leaveUnknown() {
    helloDeadline.cancel(false);
    if (!introduced) {
      introduced = true;
      onIntroduced.run();
    }
  }
}
