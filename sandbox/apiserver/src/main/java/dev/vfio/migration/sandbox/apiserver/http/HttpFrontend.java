package dev.vfio.migration.sandbox.apiserver.http;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioEventLoopGroup;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * HTTP/1.1 on one loopback address. Requests run on a bounded pool of threads; a watch holds none,
 * so that no number of watches keeps requests waiting.
 */
public final class HttpFrontend implements AutoCloseable {
  /** Largest request body in bytes; the same as a kube-apiserver's. */
  public static final int BODY_LIMIT = 3 * 1024 * 1024;

  private static final int REQUEST_THREADS = 16;
  private static final int WAITING_REQUESTS = 1024;

  private final EventLoopGroup loops;
  private final ThreadPoolExecutor requests;
  private final ChannelGroup connections =
      new DefaultChannelGroup("connections", GlobalEventExecutor.INSTANCE);
  private final Channel listening;

  /**
   * Starts to listen.
   *
   * @param address a loopback address; the server has no authentication, so others are refused
   * @param port 0 for any free one
   * @param handler answers requests; may block
   * @param refusing while it says true every connection is closed without an answer
   * @throws IOException if the address cannot be bound
   */
  public HttpFrontend(
      InetAddress address, int port, Consumer<Exchange> handler, BooleanSupplier refusing)
      throws IOException {
    requireLoopback(address);
    this.loops = new NioEventLoopGroup(2, new DefaultThreadFactory("apiserver-io", true));
    this.requests =
        new ThreadPoolExecutor(
            REQUEST_THREADS,
            REQUEST_THREADS,
            30,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(WAITING_REQUESTS),
            new DefaultThreadFactory("apiserver-request", true));
    requests.allowCoreThreadTimeOut(true);
    var bound =
        new ServerBootstrap()
            .group(loops)
            .channel(NioServerSocketChannel.class)
            .option(ChannelOption.SO_REUSEADDR, true)
            .option(ChannelOption.SO_BACKLOG, 512)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .childHandler(
                new ChannelInitializer<SocketChannel>() {
                  @Override
                  protected void initChannel(SocketChannel channel) {
                    connections.add(channel);
                    channel
                        .pipeline()
                        .addLast(new HttpServerCodec(16 * 1024, 64 * 1024, 64 * 1024))
                        .addLast(new BodyAggregator(BODY_LIMIT))
                        .addLast(new ConnectionHandler(handler, requests, refusing));
                  }
                })
            .bind(new InetSocketAddress(address, port))
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      stopThreads();
      throw new IOException(
          "cannot listen on %s port %d: %s"
              .formatted(address.getHostAddress(), port, bound.cause().getMessage()),
          bound.cause());
    }
    this.listening = bound.channel();
  }

  /** Refuses every address from outside the machine, in words. */
  public static void requireLoopback(InetAddress address) {
    if (!address.isLoopbackAddress()) {
      throw new IllegalArgumentException(
          ("refusing to listen on %s: this API server asks nobody who they are, so it serves"
                  + " loopback addresses (127.0.0.0/8, ::1) only")
              .formatted(address.getHostAddress()));
    }
  }

  /** Where it listens; the port is the real one even if 0 was asked for. */
  public InetSocketAddress address() {
    return (InetSocketAddress) listening.localAddress();
  }

  /** Closes every connection there is; new ones are accepted. */
  public void closeConnections() {
    connections.close().awaitUninterruptibly(5, TimeUnit.SECONDS);
  }

  @Override
  public void close() {
    listening.close().awaitUninterruptibly(5, TimeUnit.SECONDS);
    closeConnections();
    stopThreads();
  }

  private void stopThreads() {
    requests.shutdownNow();
    loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(5, TimeUnit.SECONDS);
  }
}
