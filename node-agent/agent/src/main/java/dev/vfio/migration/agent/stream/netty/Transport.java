package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamSettings;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.ServerChannel;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Event loops, sockets and memory of the state stream: native epoll where it is there, else NIO.
 * One event loop serves a connection, so encrypting, checking and device access of one stream run
 * on different threads.
 */
final class Transport implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger(Transport.class);

  /** Bytes that one read takes from a socket: sixteen TLS records. */
  private static final int READ_BYTES = 256 * 1024;

  /** Encrypted bytes that may wait for the socket before no more is encrypted. */
  private static final WriteBufferWaterMark UNSENT =
      new WriteBufferWaterMark(256 * 1024, 512 * 1024);

  private static final int POOL_PAGE_BYTES = 8192;
  private static final int POOL_CHUNK_ORDER = 8;

  private final StreamSettings settings;
  private final boolean nativeTransport;
  private final EventLoopGroup loops;
  private final EventLoopGroup acceptor;
  private final ByteBufAllocator memory;

  Transport(StreamSettings settings) {
    this(settings, Epoll.isAvailable());
  }

  Transport(StreamSettings settings, boolean nativeTransport) {
    this.settings = settings;
    this.nativeTransport = nativeTransport;
    int threads =
        settings.eventLoops() > 0
            ? settings.eventLoops()
            : Math.max(2, Runtime.getRuntime().availableProcessors());
    DefaultThreadFactory factory = new DefaultThreadFactory("state-stream", true);
    loops =
        nativeTransport
            ? new EpollEventLoopGroup(threads, factory)
            : new NioEventLoopGroup(threads, factory);
    DefaultThreadFactory accepting = new DefaultThreadFactory("state-accept", true);
    acceptor =
        nativeTransport
            ? new EpollEventLoopGroup(1, accepting)
            : new NioEventLoopGroup(1, accepting);
    // Own arenas: the process may have tuned the shared allocator for small web messages.
    memory =
        new PooledByteBufAllocator(
            true, threads, threads, POOL_PAGE_BYTES, POOL_CHUNK_ORDER, 64, 32, true);
  }

  boolean isNative() {
    return nativeTransport;
  }

  /** Whether connections can be made no more. */
  boolean isClosed() {
    return loops.isShuttingDown();
  }

  EventLoopGroup loops() {
    return loops;
  }

  /** The one that listens. */
  EventLoopGroup acceptor() {
    return acceptor;
  }

  /**
   * Runs a task in an event loop after a time.
   *
   * @throws RejectedExecutionException where the loops have stopped
   */
  void later(Runnable task, Duration delay) {
    loops.schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS);
  }

  /** Of an accepted connection; {@link ReadSize#known} to be called once it is known. */
  static ReadSize readSize() {
    return new ReadSize(READ_BYTES);
  }

  ByteBufAllocator memory() {
    return memory;
  }

  Class<? extends ServerChannel> serverChannel() {
    return nativeTransport ? EpollServerSocketChannel.class : NioServerSocketChannel.class;
  }

  Class<? extends Channel> channel() {
    return nativeTransport ? EpollSocketChannel.class : NioSocketChannel.class;
  }

  /** Options of every connection. Small tail frames must go out at once: no Nagle. */
  Map<ChannelOption<?>, Object> connectionOptions() {
    Map<ChannelOption<?>, Object> options = new LinkedHashMap<>();
    options.put(ChannelOption.ALLOCATOR, memory);
    options.put(ChannelOption.TCP_NODELAY, true);
    options.put(ChannelOption.WRITE_BUFFER_WATER_MARK, UNSENT);
    options.put(ChannelOption.RCVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(READ_BYTES));
    if (settings.socketSendBytes() > 0) {
      options.put(ChannelOption.SO_SNDBUF, settings.socketSendBytes());
    }
    if (settings.socketReceiveBytes() > 0) {
      options.put(ChannelOption.SO_RCVBUF, settings.socketReceiveBytes());
    }
    return options;
  }

  /**
   * Options of a connection that was accepted. A destination whose sink is slow does not read, and
   * so cannot notice silence; its PINGs that nobody acknowledges then tell it that the source is
   * gone. (The source must not have this: a destination that takes nothing for a while would count,
   * too.)
   */
  Map<ChannelOption<?>, Object> acceptedOptions() {
    Map<ChannelOption<?>, Object> options = connectionOptions();
    if (nativeTransport) {
      options.put(EpollChannelOption.TCP_USER_TIMEOUT, settings.idleMillis());
    }
    return options;
  }

  /** Runs a task in a connection's event loop. A loop that has stopped has closed it: no task. */
  static void run(EventExecutor loop, Runnable task) {
    try {
      loop.execute(task);
    } catch (RejectedExecutionException stopped) {
      LOG.debugf(stopped, "the event loops of the state stream have stopped");
    }
  }

  @Override
  public void close() {
    long timeout = settings.closeTimeout().toMillis();
    acceptor.shutdownGracefully(0, timeout, TimeUnit.MILLISECONDS);
    loops
        .shutdownGracefully(0, timeout, TimeUnit.MILLISECONDS)
        .awaitUninterruptibly(timeout, TimeUnit.MILLISECONDS);
  }
}
