package dev.vfio.migration.agent.stream.netty;

import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPromise;
import io.netty.channel.socket.DuplexChannel;
import io.netty.util.ReferenceCountUtil;
import io.netty.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Nearest to the socket at the destination: closes in a way that lets the other end read the last
 * words. Closing a socket with unread bytes in it makes the kernel send a reset, and what was sent
 * just before may be lost; so this sends its end first, and throws away what still comes until the
 * other end closes too, or timeout ends.
 */
final class LingeringClose extends ChannelDuplexHandler {
  private final long timeoutMillis;
  private Future<?> deadline;

  LingeringClose(long timeoutMillis) {
    this.timeoutMillis = timeoutMillis;
  }

  @Override
  public void close(ChannelHandlerContext context, ChannelPromise promise) {
    if (deadline != null) {
      context.channel().closeFuture().addListener(closed -> promise.trySuccess());
      return;
    }
    if (!(context.channel() instanceof DuplexChannel channel) || !channel.isActive()) {
      context.close(promise);
      return;
    }
    deadline =
        context.executor().schedule(() -> context.close(), timeoutMillis, TimeUnit.MILLISECONDS);
    channel.closeFuture().addListener(closed -> promise.trySuccess());
    channel
        .shutdownOutput()
        .addListener(
            shut -> {
              if (shut.isSuccess()) {
                channel.config().setAutoRead(true);
                context.read();
              } else {
                context.close();
              }
            });
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) throws Exception {
    if (deadline == null) {
      super.channelRead(context, message);
    } else {
      ReferenceCountUtil.release(message);
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) throws Exception {
    if (deadline != null) {
      deadline.cancel(false);
    }
    super.channelInactive(context);
  }
}
