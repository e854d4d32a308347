package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamSettings;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What the state stream is measured against: TLS channels of the same library, same provider, same
 * socket options, that write direct buffers and count what comes. No frames, no checksums.
 */
final class PlainTlsCopy implements AutoCloseable {
  private static final int BUFFERS = 8;

  private final Transport transport = new Transport(StreamSettings.defaults());
  private final TlsIdentity source;
  private final TlsIdentity destination;

  PlainTlsCopy(Path sourceTls, Path destinationTls) {
    source = new TlsIdentity(sourceTls);
    destination = new TlsIdentity(destinationTls);
  }

  /** Bytes per second from the first write until the last byte was decrypted. */
  double run(long bytes, int chunkBytes, int streams) throws Exception {
    AtomicLong left = new AtomicLong(bytes);
    CountDownLatch arrived = new CountDownLatch(1);
    ServerBootstrap server =
        new ServerBootstrap()
            .group(transport.loops())
            .channel(transport.serverChannel())
            .childHandler(tls(destination.server(), new Counter(left, arrived)));
    transport.connectionOptions().forEach((option, value) -> childOption(server, option, value));
    Channel listener = server.bind(TwoNodes.anyPort()).sync().channel();
    List<Channel> channels = new ArrayList<>();
    try {
      for (int stream = 0; stream < streams; stream++) {
        channels.add(connect(listener.localAddress()));
      }
      return copy(channels, bytes, chunkBytes, arrived);
    } finally {
      for (Channel channel : channels) {
        channel.close().sync();
      }
      listener.close().sync();
    }
  }

  private Channel connect(SocketAddress address) throws Exception {
    Bootstrap client =
        new Bootstrap()
            .group(transport.loops())
            .channel(transport.channel())
            .handler(tls(source.client(), new ChannelInboundHandlerAdapter() {}));
    transport.connectionOptions().forEach((option, value) -> option(client, option, value));
    Channel channel = client.connect(address).sync().channel();
    channel.pipeline().get(SslHandler.class).handshakeFuture().sync();
    return channel;
  }

  private static double copy(
      List<Channel> channels, long bytes, int chunkBytes, CountDownLatch arrived)
      throws InterruptedException {
    BlockingQueue<ByteBuffer> free = new ArrayBlockingQueue<>(BUFFERS);
    byte[] random = new byte[chunkBytes];
    new Random(1).nextBytes(random);
    long begin = System.nanoTime();
    for (int buffer = 0; buffer < BUFFERS; buffer++) {
      free.add(ByteBuffer.allocateDirect(chunkBytes).put(random).flip());
    }
    int number = 0;
    for (long sent = 0; sent < bytes; sent += chunkBytes) {
      ByteBuffer chunk = free.take();
      channels
          .get(number++ % channels.size())
          .writeAndFlush(Unpooled.wrappedBuffer(chunk))
          .addListener(written -> free.add(chunk));
    }
    arrived.await();
    return bytes / ((System.nanoTime() - begin) / 1e9);
  }

  private static ChannelInitializer<Channel> tls(
      SslContext context, ChannelInboundHandlerAdapter handler) {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        channel.pipeline().addLast(context.newHandler(channel.alloc()), handler);
      }
    };
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

  @Override
  public void close() {
    transport.close();
  }

  @Sharable
  private static final class Counter extends ChannelInboundHandlerAdapter {
    private final AtomicLong left;
    private final CountDownLatch arrived;

    private Counter(AtomicLong left, CountDownLatch arrived) {
      this.left = left;
      this.arrived = arrived;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      ByteBuf bytes = (ByteBuf) message;
      int length = bytes.readableBytes();
      bytes.release();
      if (left.addAndGet(-length) == 0) {
        arrived.countDown();
      }
    }
  }
}
