package dev.vfio.migration.sandbox.apiserver.http;

import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpMessage;
import io.netty.handler.codec.http.HttpObjectAggregator;

/**
 * Collects request bodies up to a limit, and answers larger ones with a Status instead of an empty
 * 413.
 */
final class BodyAggregator extends HttpObjectAggregator {
  BodyAggregator(int limitBytes) {
    super(limitBytes, true);
  }

  @Override
  protected void handleOversizedMessage(ChannelHandlerContext context, HttpMessage oversized) {
    Reply reply = Reply.failure(Failures.tooLarge(maxContentLength()));
    // The rest of the body is still on its way: the connection cannot be used for another request.
    context
        .writeAndFlush(ConnectionHandler.whole(reply, false))
        .addListener(ChannelFutureListener.CLOSE);
  }
}
