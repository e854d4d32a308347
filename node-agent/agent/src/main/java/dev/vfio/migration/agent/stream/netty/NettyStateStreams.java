package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.connections.ConnectionLimits;
import dev.vfio.migration.connections.NewConnection;
import dev.vfio.migration.connections.NewConnections;
import dev.vfio.migration.connections.RefusalLog;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * The state stream over TCP and TLS 1.3 with certificates on both ends; the format is in
 * docs/state-stream.md. Listens from construction until {@link #close()}. Thread-safe.
 */
public final class NettyStateStreams implements StateStreams, AutoCloseable {
  private static final Logger LOG = Logger.getLogger(NettyStateStreams.class);

  private static final int USUAL_UNKNOWN = 256;
  private static final int USUAL_UNKNOWN_PER_ADDRESS = 128;

  private final StreamSettings settings;
  private final LongSupplier monotonicNanos;
  private final TlsIdentity identity;
  private final Transport transport;
  private final DirectMemory pool = new DirectMemory(MemoryBudget.idleBytesOfThisProcess());
  private final MemoryBudget budget;
  private final Receptions receptions;
  private final HostNames names;
  private final RefusalLog refusals = new RefusalLog("state", LOG);
  private final NewConnections newConnections;
  private final Channel listener;

  /**
   * Binds and listens.
   *
   * @param listen address and TCP port; port 0 takes any free one
   * @param tlsDirectory where {@code tls.crt}, {@code tls.key} and {@code ca.crt} are
   * @param settings limits and timeouts
   * @throws IOException the certificates cannot be used, or the address cannot be bound
   */
  public NettyStateStreams(InetSocketAddress listen, Path tlsDirectory, StreamSettings settings)
      throws IOException {
    this(listen, tlsDirectory, settings, usualLimits(settings));
  }

  /**
   * As above.
   *
   * @param unknown what connections may hold that have not said who they are; {@link #usualLimits}
   *     where there are descriptors enough
   */
  public NettyStateStreams(
      InetSocketAddress listen,
      Path tlsDirectory,
      StreamSettings settings,
      ConnectionLimits unknown)
      throws IOException {
    this(
        listen,
        settings,
        System::nanoTime,
        new TlsIdentity(tlsDirectory),
        new Transport(settings),
        unknown,
        MemoryBudget.ofThisProcess());
  }

  NettyStateStreams(
      InetSocketAddress listen,
      StreamSettings settings,
      LongSupplier monotonicNanos,
      TlsIdentity identity,
      Transport transport)
      throws IOException {
    this(
        listen,
        settings,
        monotonicNanos,
        identity,
        transport,
        usualLimits(settings),
        MemoryBudget.ofThisProcess());
  }

  NettyStateStreams(
      InetSocketAddress listen,
      StreamSettings settings,
      LongSupplier monotonicNanos,
      TlsIdentity identity,
      Transport transport,
      ConnectionLimits unknown,
      MemoryBudget budget)
      throws IOException {
    this.settings = settings;
    this.monotonicNanos = monotonicNanos;
    this.identity = identity;
    this.transport = transport;
    this.budget = budget;
    this.names = new HostNames(InetAddress::getByName, settings.connectTimeout());
    this.receptions = new Receptions(settings, budget);
    this.newConnections = NewConnections.authenticated(unknown, refusals, this::begin);
    try {
      identity.server();
      this.listener = bind(listen);
    } catch (IOException unusable) {
      transport.close();
      throw unusable;
    }
    LOG.infof(
        "state stream: listens on %s, TLS by %s, %s",
        listener.localAddress(), identity.provider(), transport.isNative() ? "epoll" : "NIO");
  }

  /**
   * 256 unknown connections in each stage, 128 of one address. Each has a little longer than TLS
   * and HELLO may take, so that whoever is late hears so first.
   */
  public static ConnectionLimits usualLimits(StreamSettings settings) {
    return limits(settings, USUAL_UNKNOWN, USUAL_UNKNOWN_PER_ADDRESS);
  }

  /** The same times for other numbers. */
  public static ConnectionLimits limits(StreamSettings settings, int most, int mostPerAddress) {
    return new ConnectionLimits(most, mostPerAddress, settings.introductionTime());
  }

  /** Bytes of direct memory that all sessions of this agent together may use for the stream. */
  public long memoryLimit() {
    return budget.limit();
  }

  /** Connections that have not said who they are; for tests. */
  NewConnections newConnections() {
    return newConnections;
  }

  private Channel bind(InetSocketAddress address) throws IOException {
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            // Apart: who floods this port must not take turns with connections that move state.
            .group(transport.acceptor(), transport.loops())
            .channel(transport.serverChannel())
            .option(ChannelOption.SO_REUSEADDR, true)
            .handler(newConnections)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    channel.config().setRecvByteBufAllocator(Transport.readSize());
                  }
                });
    transport.acceptedOptions().forEach((option, value) -> childOption(bootstrap, option, value));
    ChannelFuture bound = bootstrap.bind(address);
    if (!bound.awaitUninterruptibly(settings.connectTimeout().toMillis())) {
      throw new IOException("the state stream cannot listen on " + address + ": it takes too long");
    }
    if (!bound.isSuccess()) {
      throw new IOException(
          String.format(
              "the state stream cannot listen on %s: %s. End whoever has that port (ss -lntp), or"
                  + " set agent.state-port and agent.listen-address.",
              address, bound.cause().getMessage()),
          bound.cause());
    }
    return bound.channel();
  }

  @SuppressWarnings("unchecked")
  private static <T> void childOption(
      ServerBootstrap bootstrap, ChannelOption<T> option, Object value) {
    bootstrap.childOption(option, (T) value);
  }

  @SuppressWarnings("unchecked")
  private static <T> void option(Bootstrap bootstrap, ChannelOption<T> option, Object value) {
    bootstrap.option(option, (T) value);
  }

  /** Its first TLS record is there. Only now: whoever connects and says nothing is worth no TLS. */
  private void begin(NewConnection connection) {
    Channel channel = connection.channel();
    try {
      new DestinationConnection(
          connection, identity.server(), settings, identity, pool, receptions, refusals);
    } catch (StreamException noCertificate) {
      refusals.refused(
          "no certificate",
          () ->
              "refused a state stream from "
                  + channel.remoteAddress()
                  + ": "
                  + noCertificate.getMessage());
      channel.close();
    }
  }

  @Override
  public Room reserve(Expected expected) throws StreamException {
    return receptions.reserve(expected);
  }

  @Override
  public Awaited await(Expected expected, StateSink sink) throws StreamException {
    return receptions.await(expected, sink);
  }

  @Override
  public StateSender connect(Destination destination) throws StreamException, InterruptedException {
    requireSane(destination);
    if (transport.isClosed()) {
      throw new StreamException(Kind.BROKEN, "the state stream of this agent has been closed");
    }
    // Refuses certificates that cannot be used before anything else is done.
    identity.client();
    AtomicLong sentBytes = new AtomicLong();
    BandwidthLimit limit = new BandwidthLimit(destination.bandwidthLimit(), monotonicNanos);
    int buffers = settings.sendWindowFor(destination.chunkBytes());
    MemoryBudget.Room room = budget.room("sending migration " + destination.migration());
    room.resize(
        (long) buffers * destination.chunkBytes()
            + destination.streams() * MemoryBudget.BYTES_PER_STREAM);
    SendRing ring = new SendRing(pool, destination.chunkBytes(), buffers, limit, room);
    NettyStateSender sender = new NettyStateSender(destination, ring, sentBytes);
    for (int stream = 0; stream < destination.streams(); stream++) {
      SendWindow window = new SendWindow(stream, transport.memory(), sentBytes);
      sender.add(
          new OutgoingStream(
              SourceConnection.describe(destination, stream),
              connections(destination, stream, window),
              sender,
              transport::later,
              System::nanoTime,
              new OutgoingStream.Limits(
                  settings.retryTime(), settings.resumeTime(), settings.pausedResumeTime()),
              window));
    }
    try {
      long deadline =
          System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(settings.connectionMillis());
      sender.streams().forEach(OutgoingStream::begin);
      for (OutgoingStream stream : sender.streams()) {
        stream.welcomed().get(deadline - System.nanoTime(), TimeUnit.NANOSECONDS);
      }
      return sender;
    } catch (TimeoutException stuck) {
      sender.close();
      throw new StreamException(
          Kind.BROKEN,
          String.format(
              "node %s could not be connected within %s ms",
              destination.node(), settings.connectionMillis()),
          stuck);
    } catch (ExecutionException refused) {
      // The first failure of any connection; the others only failed because of it.
      StreamException why = sender.firstFailure();
      sender.close();
      throw why == null ? NettyStateSender.failureOf(refused) : NettyStateSender.again(why);
    } catch (InterruptedException interrupted) {
      sender.close();
      throw interrupted;
    }
  }

  private OutgoingStream.Connections connections(
      Destination destination, int stream, SendWindow window) {
    return new OutgoingStream.Connections() {
      @Override
      public SourceConnection make(SourceConnection.Listener listener, byte[] key) {
        return new SourceConnection(destination, stream, settings, identity, window, key, listener);
      }

      @Override
      public void begin(SourceConnection made) {
        try {
          open(made, destination, identity.client());
        } catch (StreamException noCertificate) {
          made.connectFailed(noCertificate);
        }
      }
    };
  }

  private void open(SourceConnection connection, Destination destination, SslContext tls) {
    Bootstrap bootstrap =
        new Bootstrap()
            .group(transport.loops())
            .channel(transport.channel())
            .option(
                ChannelOption.CONNECT_TIMEOUT_MILLIS, (int) settings.connectTimeout().toMillis())
            .handler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    connection.install(channel, tls);
                  }
                });
    transport.connectionOptions().forEach((option, value) -> option(bootstrap, option, value));
    names
        .find(destination.host(), destination.port())
        .whenComplete(
            (address, unknown) -> {
              if (unknown == null) {
                connect(bootstrap, address, connection);
              } else {
                connection.connectFailed(unknown);
              }
            });
  }

  private void connect(
      Bootstrap bootstrap, InetSocketAddress address, SourceConnection connection) {
    if (transport.isClosed()) {
      connection.connectFailed(new IOException("the state stream of this agent has been closed"));
      return;
    }
    bootstrap
        .connect(address)
        .addListener(
            connected -> {
              if (!connected.isSuccess()) {
                connection.connectFailed(connected.cause());
              }
            });
  }

  private void requireSane(Destination destination) {
    boolean sane =
        destination.port() > 0
            && destination.port() <= 65535
            && destination.streams() >= 1
            && destination.streams() <= settings.maximumStreams()
            && destination.chunkBytes() >= 1
            && destination.chunkBytes() <= settings.maximumChunkBytes()
            && destination.token().length == Greeting.TOKEN_BYTES
            && destination.migration().length() <= GreetingCodec.MAX_MIGRATION_BYTES / 4;
    if (!sane) {
      throw new IllegalArgumentException(
          String.format(
              "a state stream to port %s with %s streams (1 to %s), chunks of %s bytes (1 to %s), a"
                  + " token of %s bytes (32) for migration %s",
              destination.port(),
              destination.streams(),
              settings.maximumStreams(),
              destination.chunkBytes(),
              settings.maximumChunkBytes(),
              destination.token().length,
              destination.migration()));
    }
  }

  @Override
  public int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  /** Stops listening and breaks every connection. */
  @Override
  public void close() {
    listener.close().awaitUninterruptibly(settings.closeTimeout().toMillis());
    names.close();
    receptions.close();
    transport.close();
  }
}
