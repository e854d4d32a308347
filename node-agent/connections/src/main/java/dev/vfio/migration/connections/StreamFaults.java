package dev.vfio.migration.connections;

import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http2.Http2Exception;
import org.jboss.logging.Logger;

/**
 * Keeps a fault of one HTTP/2 stream from ending its connection, and with it every other stream. An
 * answer that waits for room in its caller's window, or for the next flush, fails when its caller
 * resets the stream; netty tells the whole pipeline so, and Vert.x closes whatever channel it hears
 * of a fault from. The stream itself is over by then: there is nothing left to do.
 *
 * <p>To be put first into a pipeline. Thread-safe.
 */
@Sharable
final class StreamFaults extends ChannelInboundHandlerAdapter {
  private static final Logger LOG = Logger.getLogger(StreamFaults.class);

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof Http2Exception.StreamException) {
      LOG.debugf("an answer to %s was dropped: %s", context.channel().remoteAddress(), cause);
    } else {
      context.fireExceptionCaught(cause);
    }
  }
}
