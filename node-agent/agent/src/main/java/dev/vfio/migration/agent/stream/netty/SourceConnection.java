package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateStreams.Destination;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.FrameType.Direction;
import dev.vfio.migration.agent.stream.netty.Greeting.Hello;
import dev.vfio.migration.agent.stream.netty.Greeting.Refusal;
import dev.vfio.migration.agent.stream.netty.Greeting.Resume;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.ScheduledFuture;
import java.nio.ByteBuffer;
import java.security.cert.X509Certificate;
import java.util.concurrent.TimeUnit;

/**
 * One connection, at the source: checks whose certificate answers before it shows the token, says
 * HELLO or RESUME, then sends frames and listens for LOADED and ERROR. Its reading side lives in
 * the event loop.
 */
final class SourceConnection implements ConnectionReader.Owner {

  /** Whom a connection reports to, from its event loop. */
  interface Listener {
    /**
     * The destination has let it in. Has its writer begin with frames.
     *
     * @throws StreamException CORRUPT where the stream cannot go on from what WELCOME says
     */
    void welcomed(SourceConnection connection, Welcome welcome) throws StreamException;

    /**
     * It ended before the destination answered anything: the destination may have dropped it to let
     * others in. Told instead of {@link #failed}.
     */
    void dropped(SourceConnection connection, StreamException why);

    /**
     * It ended after it was let in, by nobody's verdict, and both ends know how to go on with
     * another one. Told instead of {@link #failed}.
     */
    void lost(SourceConnection connection, StreamException why);

    void failed(SourceConnection connection, StreamException why);

    void loaded(byte[] digest);
  }

  private static final int REPLY_BYTES = ErrorReport.MAX_BYTES;

  private final Destination destination;
  private final int stream;
  private final StreamSettings settings;
  private final TlsIdentity identity;
  private final Listener listener;
  private final SendWindow window;
  private final byte[] key;
  private final ConnectionReader reader = new ConnectionReader(this);
  private final FrameWriter writer = new FrameWriter();
  private final ByteBuffer reply = ByteBuffer.allocateDirect(REPLY_BYTES);
  private volatile Channel channel;
  private volatile boolean secured;
  private volatile boolean unwanted;
  private KeepAlive keepAlive;
  private ScheduledFuture<?> helloDeadline;
  private boolean answered;
  private boolean resumable;
  private volatile boolean welcomed;
  private boolean failed;

  /**
   * @param window of the stream, over all of its connections
   * @param key what WELCOME gave to an earlier connection of the stream; null for the first one
   */
  SourceConnection(
      Destination destination,
      int stream,
      StreamSettings settings,
      TlsIdentity identity,
      SendWindow window,
      byte[] key,
      Listener listener) {
    this.destination = destination;
    this.stream = stream;
    this.settings = settings;
    this.identity = identity;
    this.listener = listener;
    this.window = window;
    this.key = key;
  }

  /** Puts the handlers into a new channel, before it connects. */
  void install(Channel made, SslContext tls) {
    channel = made;
    keepAlive = new KeepAlive(made.eventLoop());
    SslHandler encryption = tls.newHandler(made.alloc());
    encryption.setHandshakeTimeoutMillis(settings.handshakeTimeout().toMillis());
    made.pipeline().addLast(encryption, writer, reader);
    if (unwanted) {
      made.close();
    }
  }

  FrameWriter writer() {
    return writer;
  }

  /** TCP could not be connected. */
  void connectFailed(Throwable why) {
    fail(
        new StreamException(
            Kind.BROKEN,
            String.format(
                "%s: cannot connect: %s; is the agent of %s up, and may this node reach that port?",
                describe(), why.getMessage(), destination.node()),
            why),
        // Connected and reset at once: nobody refused it. After a loss only a port where nobody
        // listens is an answer: the process is gone, and with it the stream.
        key == null
            ? String.valueOf(why.getMessage()).contains("reset")
            : !String.valueOf(why.getMessage()).contains("refused"));
  }

  @Override
  public void secured(X509Certificate peer) {
    secured = true;
    try {
      NodeCertificate.requireNode(peer, destination.node());
    } catch (StreamException other) {
      StreamException why =
          new StreamException(other.kind(), describe() + ": " + other.getMessage(), other);
      reader.stop();
      // Lets the people at the other end know, too; the token was not shown.
      writer.greet(new Refusal(ErrorReport.of(why)), () -> fail(why));
      return;
    }
    writer.greet(key == null ? hello() : resume(), null);
    long timeout = settings.helloTimeout().toMillis();
    helloDeadline =
        channel
            .eventLoop()
            .schedule(
                () ->
                    fail(
                        new StreamException(
                            Kind.BROKEN,
                            describe() + ": no answer to HELLO within " + timeout + " ms")),
                timeout,
                TimeUnit.MILLISECONDS);
  }

  private Hello hello() {
    return new Hello(
        Greeting.LOWEST_VERSION,
        Greeting.VERSION,
        stream,
        destination.streams(),
        destination.chunkBytes(),
        settings.idleMillis(),
        destination.migration(),
        destination.token());
  }

  private Resume resume() {
    return new Resume(
        Greeting.RESUMABLE_VERSION,
        Greeting.VERSION,
        stream,
        settings.idleMillis(),
        destination.migration(),
        destination.token(),
        key);
  }

  @Override
  public void greeting(Greeting greeting) throws StreamException {
    answered = true;
    if (greeting instanceof Refusal refusal) {
      ErrorReport report = refusal.report();
      throw new StreamException(report.kind(), "the destination refused: " + report.message());
    }
    if (!(greeting instanceof Welcome welcome)) {
      throw new StreamException(Kind.CORRUPT, "the destination answered HELLO with HELLO");
    }
    int lowest = key == null ? Greeting.LOWEST_VERSION : Greeting.RESUMABLE_VERSION;
    if (welcome.version() < lowest || welcome.version() > Greeting.VERSION) {
      throw new StreamException(
          Kind.VERSION,
          "the destination chose stream version "
              + welcome.version()
              + ", this agent speaks versions "
              + lowest
              + " to "
              + Greeting.VERSION);
    }
    if (welcome.idleMillis() < StreamSettings.MIN_IDLE_MILLIS) {
      throw new StreamException(
          Kind.CORRUPT, "the destination's idle time is " + welcome.idleMillis() + " ms");
    }
    helloDeadline.cancel(false);
    Placement placement = new Placement(destination.streams(), destination.chunkBytes());
    reader.beginFrames(
        new IncomingFrames(welcome.version(), stream, Direction.TO_SOURCE, placement));
    listener.welcomed(this, welcome);
    welcomed = true;
    resumable = welcome.version() >= Greeting.RESUMABLE_VERSION;
    if (unwanted) {
      return;
    }
    keepAlive.ping(writer, welcome.idleMillis());
    keepAlive.watch(
        reader,
        settings.idleMillis(),
        () ->
            fail(
                new StreamException(
                    Kind.BROKEN,
                    describe()
                        + ": nothing was heard for "
                        + settings.idleMillis()
                        + " ms; the destination's agent or the network between is dead"),
                true));
  }

  @Override
  public ByteBuffer place(FrameHeader header) {
    return reply.clear().limit(header.length());
  }

  @Override
  public void frame(FrameHeader header, ByteBuffer payload) throws StreamException {
    FrameWork<StreamException> work =
        switch (header.type()) {
          case PING -> FrameWork.none();
          case LOADED -> () -> loaded(payload);
          case TAKEN -> () -> window.taken(payload.getLong());
          case ERROR -> {
            ErrorReport report = ErrorReport.decode(payload);
            throw new StreamException(
                report.kind(), "the destination gave up: " + report.message());
          }
          case DEVICE_STATE, MEMORY, PAUSED, END ->
              throw new StreamException(Kind.CORRUPT, header.type() + " does not come to a source");
        };
    work.run();
  }

  private void loaded(ByteBuffer payload) {
    byte[] digest = new byte[LoadedDigest.BYTES];
    payload.get(digest);
    listener.loaded(digest);
  }

  @Override
  public void failed(Throwable why) {
    StreamException named =
        ConnectionFailure.of(why, describe() + ": ", identity.describe(), welcomed);
    fail(named, named.kind() == Kind.BROKEN);
  }

  @Override
  public void closed() {
    fail(
        new StreamException(
            Kind.BROKEN,
            describe()
                + (welcomed
                    ? ": the destination's end closed the connection"
                    : ": the destination closed the connection before it answered HELLO")),
        true);
  }

  private void fail(StreamException why) {
    fail(why, false);
  }

  /**
   * @param lost whether it was the connection that ended, and nobody's verdict
   */
  private void fail(StreamException why, boolean lost) {
    if (failed) {
      return;
    }
    failed = true;
    if (keepAlive != null) {
      keepAlive.stop();
    }
    if (helloDeadline != null) {
      helloDeadline.cancel(false);
    }
    reader.stop();
    if (lost && !answered) {
      listener.dropped(this, why);
    } else if (lost && welcomed && resumable && !reader.saidGoodbye()) {
      listener.lost(this, why);
    } else {
      listener.failed(this, why);
    }
    abort();
  }

  /** LOADED was heard: silence means nothing any more. From any thread. */
  void stopWatching() {
    Channel made = channel;
    if (made != null) {
      Transport.run(made.eventLoop(), keepAlive::stopWatching);
    }
  }

  /**
   * Says that this end closes, as far as the network takes it at once: the destination need not
   * wait for another connection. Then closes. From any thread.
   */
  void close() {
    Channel made = channel;
    if (made == null || !welcomed) {
      abort();
      return;
    }
    unwanted = true;
    Transport.run(
        made.eventLoop(),
        () -> {
          SslHandler encryption = made.pipeline().get(SslHandler.class);
          if (encryption != null && made.isActive()) {
            encryption.closeOutbound();
          }
          abort();
        });
  }

  /** Closes at once, also where data wait for a slow destination. From any thread. */
  void abort() {
    unwanted = true;
    Channel made = channel;
    if (made == null) {
      return;
    }
    if (secured) {
      // Not through TLS, which would first wait for all that is queued.
      ChannelHandlerContext encryption = made.pipeline().context(SslHandler.class);
      if (encryption != null) {
        encryption.close();
        return;
      }
    }
    // Through TLS, so that its alert tells the other end why there will be no connection.
    Transport.run(made.eventLoop(), made::close);
  }

  private String describe() {
    return describe(destination, stream);
  }

  /** That stream, for people. */
  static String describe(Destination destination, int stream) {
    return String.format(
        "stream %s of migration %s to node %s (%s:%s)",
        stream,
        destination.migration(),
        destination.node(),
        destination.host(),
        destination.port());
  }
}
