package dev.vfio.migration.connections;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.socket.DatagramChannel;
import io.netty.channel.socket.InternetProtocolFamily;
import io.vertx.core.datagram.DatagramSocketOptions;
import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.net.ClientOptionsBase;
import io.vertx.core.net.NetServerOptions;
import io.vertx.core.net.SocketAddress;
import io.vertx.core.spi.transport.Transport;
import java.util.concurrent.ThreadFactory;
import java.util.function.Function;

/**
 * Puts {@link NewConnections} under every server that Vert.x listens with. Quarkus' own limits are
 * not enough: those of its management interface bound no connections, those of its main one refuse
 * the newest and keep the idle ones, and an idle time begins anew with each byte.
 */
public final class LimitedTransport implements Transport {
  private final Transport below;
  private final Function<NetServerOptions, NewConnections> limits;

  private LimitedTransport(Transport below, Function<NetServerOptions, NewConnections> limits) {
    this.below = below;
    this.limits = limits;
  }

  /**
   * To be called by a {@code VertxServiceProvider}.
   *
   * @param limits of a server with these options; asked once for each that listens
   */
  public static void install(
      VertxBuilder builder, Function<NetServerOptions, NewConnections> limits) {
    builder.findTransport(new LimitedTransport(builder.findTransport(), limits));
  }

  @Override
  public void configure(NetServerOptions options, boolean domainSocket, ServerBootstrap bootstrap) {
    below.configure(options, domainSocket, bootstrap);
    bootstrap.handler(limits.apply(options));
  }

  @Override
  public boolean supportsDomainSockets() {
    return below.supportsDomainSockets();
  }

  @Override
  public boolean supportFileRegion() {
    return below.supportFileRegion();
  }

  @Override
  public boolean isAvailable() {
    return below.isAvailable();
  }

  @Override
  public Throwable unavailabilityCause() {
    return below.unavailabilityCause();
  }

  @Override
  public java.net.SocketAddress convert(SocketAddress address) {
    return below.convert(address);
  }

  @Override
  public SocketAddress convert(java.net.SocketAddress address) {
    return below.convert(address);
  }

  @Override
  public EventLoopGroup eventLoopGroup(int type, int threads, ThreadFactory factory, int ratio) {
    return below.eventLoopGroup(type, threads, factory, ratio);
  }

  @Override
  public DatagramChannel datagramChannel() {
    return below.datagramChannel();
  }

  @Override
  public DatagramChannel datagramChannel(InternetProtocolFamily family) {
    return below.datagramChannel(family);
  }

  @Override
  public ChannelFactory<? extends Channel> channelFactory(boolean domainSocket) {
    return below.channelFactory(domainSocket);
  }

  @Override
  public ChannelFactory<? extends ServerChannel> serverChannelFactory(boolean domainSocket) {
    return below.serverChannelFactory(domainSocket);
  }

  @Override
  public void configure(DatagramChannel channel, DatagramSocketOptions options) {
    below.configure(channel, options);
  }

  @Override
  public void configure(ClientOptionsBase options, boolean domainSocket, Bootstrap bootstrap) {
    below.configure(options, domainSocket, bootstrap);
  }
}
