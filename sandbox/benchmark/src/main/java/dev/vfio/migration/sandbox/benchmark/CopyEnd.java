package dev.vfio.migration.sandbox.benchmark;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.WriteBufferWaterMark;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.handler.ssl.SslProvider;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;

/**
 * One end of a plain copy of incompressible bytes through one loopback connection: nothing but the
 * socket, or nothing but TLS 1.3, by the library and with the socket options of the agents' state
 * stream. The measure for what that stream can reach on this machine. A process of its own.
 *
 * <p>Arguments: {@code send|receive}, address, port, bytes of a copy, number of copies, and for TLS
 * a folder with tls.crt, tls.key and ca.crt. The receiver says {@code READY} once it listens and
 * {@code COPIED nanoseconds} after each copy, from the first byte (after any handshake) to the
 * last.
 */
final class CopyEnd {
  private static final int CHUNK_BYTES = 1 << 20;
  private static final int SOURCE_CHUNKS = 64;
  private static final int READ_BYTES = 256 * 1024;
  private static final WriteBufferWaterMark UNSENT =
      new WriteBufferWaterMark(256 * 1024, 512 * 1024);

  private final String address;
  private final int port;
  private final long bytes;
  private final int copies;
  private final Optional<Path> tls;

  private CopyEnd(String[] arguments) {
    address = arguments[1];
    port = Integer.parseInt(arguments[2]);
    bytes = Long.parseLong(arguments[3]);
    copies = Integer.parseInt(arguments[4]);
    tls = arguments.length > 5 ? Optional.of(Path.of(arguments[5])) : Optional.empty();
  }

  public static void main(String[] arguments) throws IOException, InterruptedException {
    CopyEnd end = new CopyEnd(arguments);
    switch (arguments[0]) {
      case "send" -> end.send();
      case "receive" -> end.receive();
      default -> throw new IllegalArgumentException(arguments[0] + " is neither send nor receive");
    }
  }

  private void receive() throws IOException, InterruptedException {
    EpollEventLoopGroup loops = new EpollEventLoopGroup(1);
    CountDownLatch done = new CountDownLatch(copies);
    SslContext context = tls.isPresent() ? server(tls.get()) : null;
    new ServerBootstrap()
        .group(loops)
        .channel(EpollServerSocketChannel.class)
        .childOption(ChannelOption.TCP_NODELAY, true)
        .childOption(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
        .childOption(ChannelOption.RCVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(READ_BYTES))
        .childHandler(initializer(context, () -> new Receiver(bytes, done)))
        .bind(address, port)
        .sync();
    System.out.println("READY");
    done.await();
    loops.shutdownGracefully();
  }

  private void send() throws IOException, InterruptedException {
    ByteBuffer source = incompressible();
    EpollEventLoopGroup loops = new EpollEventLoopGroup(1);
    SslContext context = tls.isPresent() ? client(tls.get()) : null;
    for (int copy = 0; copy < copies; copy++) {
      Channel channel =
          new Bootstrap()
              .group(loops)
              .channel(EpollSocketChannel.class)
              .option(ChannelOption.TCP_NODELAY, true)
              .option(ChannelOption.ALLOCATOR, PooledByteBufAllocator.DEFAULT)
              .option(ChannelOption.WRITE_BUFFER_WATER_MARK, UNSENT)
              .handler(initializer(context, () -> new Sender(source, bytes, context != null)))
              .connect(address, port)
              .sync()
              .channel();
      channel.closeFuture().sync();
    }
    loops.shutdownGracefully();
  }

  private static ChannelInitializer<Channel> initializer(
      SslContext context, java.util.function.Supplier<ChannelInboundHandlerAdapter> handler) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        if (context != null) {
          channel.pipeline().addLast(new SslHandler(context.newEngine(channel.alloc())));
        }
        channel.pipeline().addLast(handler.get());
      }
    };
  }

  /** Random bytes, so that no layer can save work; made once, before any time is taken. */
  private static ByteBuffer incompressible() {
    ByteBuffer source = ByteBuffer.allocateDirect(SOURCE_CHUNKS * CHUNK_BYTES);
    SplittableRandom random = new SplittableRandom(1);
    while (source.hasRemaining()) {
      source.putLong(random.nextLong());
    }
    return source.flip();
  }

  private static SslContext server(Path tls) throws IOException {
    return SslContextBuilder.forServer(file(tls, "tls.crt"), file(tls, "tls.key"))
        .sslProvider(SslProvider.OPENSSL)
        .protocols("TLSv1.3")
        .trustManager(file(tls, "ca.crt"))
        .clientAuth(ClientAuth.REQUIRE)
        .build();
  }

  private static SslContext client(Path tls) throws IOException {
    return SslContextBuilder.forClient()
        .sslProvider(SslProvider.OPENSSL)
        .protocols("TLSv1.3")
        .keyManager(file(tls, "tls.crt"), file(tls, "tls.key"))
        .trustManager(file(tls, "ca.crt"))
        .endpointIdentificationAlgorithm(null)
        .build();
  }

  private static File file(Path folder, String name) {
    return folder.resolve(name).toFile();
  }

  /** Counts; ends the connection after the last byte. */
  private static final class Receiver extends ChannelInboundHandlerAdapter {
    private final long bytes;
    private final CountDownLatch done;
    private long received;
    private long begin;

    Receiver(long bytes, CountDownLatch done) {
      this.bytes = bytes;
      this.done = done;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf content = (ByteBuf) message;
      if (received == 0) {
        begin = System.nanoTime();
      }
      received += content.readableBytes();
      content.release();
      if (received >= bytes) {
        System.out.println("COPIED " + (System.nanoTime() - begin));
        context.close();
        done.countDown();
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      cause.printStackTrace();
      context.close();
    }
  }

  /** Sends as fast as the socket takes it, never more than the water mark ahead. */
  private static final class Sender extends ChannelInboundHandlerAdapter {
    private final ByteBuf source;
    private final long bytes;
    private final boolean afterHandshake;
    private long sent;

    Sender(ByteBuffer source, long bytes, boolean afterHandshake) {
      this.source = Unpooled.wrappedBuffer(source);
      this.bytes = bytes;
      this.afterHandshake = afterHandshake;
    }

    @Override
    public void channelActive(ChannelHandlerContext context) {
      if (!afterHandshake) {
        fill(context);
      }
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof SslHandshakeCompletionEvent handshake && handshake.isSuccess()) {
        fill(context);
      }
    }

    @Override
    public void channelWritabilityChanged(ChannelHandlerContext context) {
      fill(context);
    }

    private void fill(ChannelHandlerContext context) {
      while (sent < bytes && context.channel().isWritable()) {
        int offset = (int) (sent / CHUNK_BYTES % SOURCE_CHUNKS) * CHUNK_BYTES;
        int length = (int) Math.min(CHUNK_BYTES, bytes - sent);
        sent += length;
        context.writeAndFlush(source.retainedSlice(offset, length));
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      cause.printStackTrace();
      context.close();
    }
  }
}
