package dev.vfio.migration.agent.stream;

import dev.vfio.migration.agent.stream.StreamException.Kind;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * The state stream over TCP and TLS 1.3 with certificates on both ends; the format is in
 * docs/state-stream.md. Listens from construction until {@link #close()}. Thread-safe.
 */
public final class NettyStateStreams implements StateStreams, AutoCloseable {
  private static final Logger LOG = Logger.getLogger(NettyStateStreams.class);

  /** Connections that have not said who they are. More are closed at once. */
  private static final int MAXIMUM_UNKNOWN = 64;

  /** Direct memory that may lie idle between migrations, bytes. */
  private static final long KEPT_BYTES = 64L * 1024 * 1024;

  private final StreamSettings settings;
  private final LongSupplier monotonicNanos;
  private final TlsIdentity identity;
  private final Transport transport;
  private final DirectMemory pool = new DirectMemory(KEPT_BYTES);
  private final Receptions receptions;
  private final AtomicInteger unknown = new AtomicInteger();
  private final Channel listener;

  /**
   * Binds and listens.
   *
   * @param listen address and TCP port; port 0 takes any free one
   * @param tlsDirectory where {@code tls.crt}, {@code tls.key} and {@code ca.crt} are
   * @param settings limits and patience
   * @throws IOException the certificates cannot be used, or the address cannot be bound
   */
  public NettyStateStreams(InetSocketAddress listen, Path tlsDirectory, StreamSettings settings)
      throws IOException {
    this(
        listen, settings, System::nanoTime, new TlsIdentity(tlsDirectory), new Transport(settings));
  }

  NettyStateStreams(
      InetSocketAddress listen,
      StreamSettings settings,
      LongSupplier monotonicNanos,
      TlsIdentity identity,
      Transport transport)
      throws IOException {
    this.settings = settings;
    this.monotonicNanos = monotonicNanos;
    this.identity = identity;
    this.transport = transport;
    this.receptions = new Receptions(settings);
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

  private Channel bind(InetSocketAddress address) throws IOException {
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(transport.loops())
            .channel(transport.serverChannel())
            .option(ChannelOption.SO_REUSEADDR, true)
            .childHandler(
                new ChannelInitializer<Channel>() {
                  @Override
                  protected void initChannel(Channel channel) {
                    accept(channel);
                  }
                });
    transport.acceptedOptions().forEach((option, value) -> childOption(bootstrap, option, value));
    ChannelFuture bound = bootstrap.bind(address).awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw new IOException(
          "the state stream cannot listen on " + address + ": " + bound.cause().getMessage(),
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

  private void accept(Channel channel) {
    if (unknown.incrementAndGet() > MAXIMUM_UNKNOWN) {
      unknown.decrementAndGet();
      LOG.warnf(
          "refused a state stream from %s: %d connections have not said who they are",
          channel.remoteAddress(), MAXIMUM_UNKNOWN);
      channel.close();
      return;
    }
    try {
      new DestinationConnection(
          channel,
          identity.server(),
          settings,
          identity,
          pool,
          receptions,
          unknown::decrementAndGet);
    } catch (StreamException noCertificate) {
      unknown.decrementAndGet();
      LOG.warnf(
          "refused a state stream from %s: %s",
          channel.remoteAddress(), noCertificate.getMessage());
      channel.close();
    }
  }

  @Override
  public Awaited await(Expected expected, StateSink sink) {
    return receptions.await(expected, sink);
  }

  @Override
  public StateSender connect(Destination destination) throws StreamException, InterruptedException {
    requireSane(destination);
    if (transport.isClosed()) {
      throw new StreamException(Kind.BROKEN, "the state stream of this agent has been closed");
    }
    SslContext tls = identity.client();
    AtomicLong sentBytes = new AtomicLong();
    BandwidthLimit limit = new BandwidthLimit(destination.bandwidthLimit(), monotonicNanos);
    int buffers = settings.sendBuffersFor(destination.chunkBytes());
    SendRing ring = new SendRing(pool, destination.chunkBytes(), buffers, limit);
    NettyStateSender sender = new NettyStateSender(destination, ring, sentBytes);
    for (int stream = 0; stream < destination.streams(); stream++) {
      sender.add(new SourceConnection(destination, stream, settings, identity, sentBytes, sender));
    }
    try {
      sender.connections().forEach(connection -> open(connection, destination, tls));
      for (SourceConnection connection : sender.connections()) {
        connection.welcomed().get(settings.connectionMillis(), TimeUnit.MILLISECONDS);
      }
      return sender;
    } catch (TimeoutException stuck) {
      sender.close();
      throw new StreamException(
          Kind.BROKEN,
          "node "
              + destination.node()
              + " could not be connected within "
              + settings.connectionMillis()
              + " ms",
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
    bootstrap
        .connect(new InetSocketAddress(destination.host(), destination.port()))
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
            && destination.migration().length() <= GreetingCodec.MAXIMUM_MIGRATION_BYTES / 4;
    if (!sane) {
      throw new IllegalArgumentException(
          "a state stream to port "
              + destination.port()
              + " with "
              + destination.streams()
              + " streams (1 to "
              + settings.maximumStreams()
              + "), chunks of "
              + destination.chunkBytes()
              + " bytes (1 to "
              + settings.maximumChunkBytes()
              + "), a token of "
              + destination.token().length
              + " bytes (32) for migration "
              + destination.migration());
    }
  }

  @Override
  public int port() {
    return ((InetSocketAddress) listener.localAddress()).getPort();
  }

  /** Stops listening and breaks every connection. */
  @Override
  public void close() {
    listener.close().awaitUninterruptibly();
    receptions.close();
    transport.close();
  }
}
