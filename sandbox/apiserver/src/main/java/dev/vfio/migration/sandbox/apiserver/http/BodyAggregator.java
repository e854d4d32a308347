package dev.vfio.migration.sandbox.apiserver.http;

import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpObjectAggregator;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

/**
 * Collects request bodies up to a limit, and answers larger ones with a Status instead of an empty
 * 413.
 */
final class BodyAggregator extends HttpObjectAggregator {
  /** How long the rest of a body that is too large is waited for. */
  private static final Duration LINGER = Duration.ofSeconds(5);

  BodyAggregator(int limitBytes) {
    super(limitBytes, true);
  }

  @Override
  protected void handleOversizedMessage(ChannelHandlerContext context, HttpMessage oversized) {
    Reply reply = Reply.failure(Failures.tooLarge(maxContentLength()));
    // The rest of the body is still on its way: the connection cannot be used for another request.
    // It is read and dropped for a while, because closing on unread bytes resets the connection and
    // takes the answer along.
    Channel channel = context.channel();
    context
        .writeAndFlush(ConnectionHandler.whole(reply, false))
        .addListener(written -> finish(channel));
  }

  private static void finish(Channel channel) {
    if (channel instanceof DuplexChannel duplex) {
      duplex.shutdownOutput();
      channel
          .eventLoop()
          .schedule((Runnable) channel::close, LINGER.toMillis(), TimeUnit.MILLISECONDS);
    } else {
      channel.close();
    }
  }
}
