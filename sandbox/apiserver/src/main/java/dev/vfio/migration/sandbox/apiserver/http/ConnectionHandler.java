package dev.vfio.migration.sandbox.apiserver.http;

import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.FullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.QueryStringDecoder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * One client connection: one request at a time, handed to the request threads. Runs on the
 * connection's event loop.
 */
final class ConnectionHandler extends SimpleChannelInboundHandler<FullHttpRequest> {
  private static final System.Logger LOG = System.getLogger(ConnectionHandler.class.getName());

  private final Consumer<Exchange> handler;
  private final Executor requests;
  private final BooleanSupplier refusing;
  private boolean busy;
  private Stream stream;

  ConnectionHandler(Consumer<Exchange> handler, Executor requests, BooleanSupplier refusing) {
    this.handler = handler;
    this.requests = requests;
    this.refusing = refusing;
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    if (refusing.getAsBoolean()) {
      context.close();
    }
    context.fireChannelActive();
  }

  @Override
  protected void channelRead0(ChannelHandlerContext context, FullHttpRequest message) {
    if (busy || refusing.getAsBoolean()) {
      // No client of this API sends a request before it has the answer to the last one.
      context.close();
      return;
    }
    boolean keepAlive = HttpUtil.isKeepAlive(message);
    if (!message.decoderResult().isSuccess()) {
      context
          .writeAndFlush(
              whole(
                  Reply.failure(
                      Failures.badRequest(
                          "not an HTTP request: " + message.decoderResult().cause().getMessage())),
                  false))
          .addListener(ChannelFutureListener.CLOSE);
      return;
    }
    if (HttpHeaderValues.WEBSOCKET.contentEqualsIgnoreCase(
        message.headers().get(HttpHeaderNames.UPGRADE, ""))) {
      // Clients that try a WebSocket first take an empty 200 as "not here" and go on with plain
      // HTTP at once.
      context.writeAndFlush(whole(new Reply(200, "text/plain", new byte[0], List.of()), keepAlive));
      return;
    }
    busy = true;
    Pending pending = new Pending(context, parse(message), keepAlive);
    try {
      requests.execute(() -> handler.accept(pending));
    } catch (RejectedExecutionException e) {
      pending.reply(Reply.failure(Failures.tooManyRequests("too many requests are waiting")));
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    if (stream != null && context.channel().isWritable()) {
      stream.writableAgain.run();
    }
    context.fireChannelWritabilityChanged();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    endStream();
    context.fireChannelInactive();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    // Mostly a client that went away in the middle of an answer; nothing is owed to it any more.
    LOG.log(
        System.Logger.Level.DEBUG, () -> "connection " + context.channel() + " ended: " + cause);
    context.close();
  }

  private void endStream() {
    if (stream != null) {
      Stream ended = stream;
      stream = null;
      ended.over = true;
      ended.timers.forEach(timer -> timer.cancel(false));
      ended.atEnd.run();
    }
  }

  private static ApiRequest parse(FullHttpRequest message) {
    QueryStringDecoder uri = new QueryStringDecoder(message.uri());
    Map<String, String> headers = new HashMap<>();
    message
        .headers()
        .forEach(
            header -> headers.put(header.getKey().toLowerCase(Locale.ROOT), header.getValue()));
    return new ApiRequest(
        message.method().name(),
        uri.path(),
        uri.parameters(),
        Map.copyOf(headers),
        ByteBufUtil.getBytes(message.content()));
  }

  static FullHttpResponse whole(Reply reply, boolean keepAlive) {
    FullHttpResponse response =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            HttpResponseStatus.valueOf(reply.code()),
            Unpooled.wrappedBuffer(reply.body()));
    response
        .headers()
        .set(HttpHeaderNames.CONTENT_TYPE, reply.contentType())
        .set(HttpHeaderNames.CACHE_CONTROL, "no-cache, private")
        .setInt(HttpHeaderNames.CONTENT_LENGTH, reply.body().length);
    for (String warning : reply.warnings()) {
      String quoted =
          warning.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("[\\r\\n]+", " ");
      response.headers().add(HttpHeaderNames.WARNING, "299 - \"" + quoted + "\"");
    }
    if (reply.code() == 429) {
      response.headers().set(HttpHeaderNames.RETRY_AFTER, "1");
    }
    HttpUtil.setKeepAlive(response, keepAlive);
    return response;
  }

  /** The exchange of the request under way. */
  private final class Pending implements Exchange {
    private final ChannelHandlerContext context;
    private final ApiRequest request;
    private final boolean keepAlive;
    private final AtomicBoolean answered = new AtomicBoolean();

    private Pending(ChannelHandlerContext context, ApiRequest request, boolean keepAlive) {
      this.context = context;
      this.request = request;
      this.keepAlive = keepAlive;
    }

    @Override
    public ApiRequest request() {
      return request;
    }

    @Override
    public void reply(Reply reply) {
      claim();
      run(
          context,
          () -> {
            busy = false;
            var sent = context.writeAndFlush(whole(reply, keepAlive));
            if (!keepAlive) {
              sent.addListener(ChannelFutureListener.CLOSE);
            }
          });
    }

    @Override
    public ResponseStream stream(String contentType) {
      claim();
      Stream opened = new Stream(context);
      run(
          context,
          () -> {
            if (!context.channel().isActive()) {
              opened.over = true;
              opened.atEnd.run();
              return;
            }
            stream = opened;
            DefaultHttpResponse head =
                new DefaultHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.OK);
            head.headers()
                .set(HttpHeaderNames.CONTENT_TYPE, contentType)
                .set(HttpHeaderNames.CACHE_CONTROL, "no-cache, private");
            HttpUtil.setTransferEncodingChunked(head, true);
            context.writeAndFlush(head);
          });
      return opened;
    }

    private void claim() {
      if (!answered.compareAndSet(false, true)) {
        throw new IllegalStateException(
            "answered twice: " + request.method() + " " + request.path());
      }
    }
  }

  private static void run(ChannelHandlerContext context, Runnable task) {
    try {
      context.executor().execute(task);
    } catch (RejectedExecutionException e) {
      LOG.log(System.Logger.Level.DEBUG, () -> "dropped, the server is stopping: " + e);
    }
  }

  /** The body of a watch. */
  private final class Stream implements ResponseStream {
    private final ChannelHandlerContext context;
    private Runnable writableAgain = () -> {};
    private Runnable atEnd = () -> {};
    private final List<ScheduledFuture<?>> timers = new ArrayList<>();
    private boolean over;

    private Stream(ChannelHandlerContext context) {
      this.context = context;
    }

    @Override
    public void write(byte[] bytes) {
      if (!over) {
        context.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(bytes)));
      }
    }

    @Override
    public boolean writable() {
      return context.channel().isWritable();
    }

    @Override
    public void end() {
      if (!over) {
        busy = false;
        context.writeAndFlush(LastHttpContent.EMPTY_LAST_CONTENT);
        endStream();
      }
    }

    @Override
    public void execute(Runnable task) {
      run(context, task);
    }

    @Override
    public void schedule(Duration delay, Runnable task) {
      timers.removeIf(ScheduledFuture::isDone);
      timers.add(context.executor().schedule(task, delay.toMillis(), TimeUnit.MILLISECONDS));
    }

    @Override
    public void onWritable(Runnable callback) {
      writableAgain = callback;
    }

    @Override
    public void onEnd(Runnable callback) {
      if (over) {
        callback.run();
      } else {
        atEnd = callback;
      }
    }
  }
}
