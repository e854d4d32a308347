package dev.vfio.migration.sandbox.apiserver.http;

import io.vertx.core.Context;
import io.vertx.core.Future;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.file.FileSystemOptions;
import io.vertx.core.http.HttpConnection;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.impl.VertxBuilder;
import io.vertx.core.net.SocketAddress;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/**
 * HTTP/1.1 on one loopback address. One event loop serves the connections; requests run on a
 * bounded pool of threads. A watch holds no thread, so that no number of watches keeps requests
 * waiting.
 */
public final class HttpFrontend implements AutoCloseable {
  private static final System.Logger LOG = System.getLogger(HttpFrontend.class.getName());

  /** Limit for request bodies; the same as a kube-apiserver's. */
  private static final int MAX_BODY_BYTES = 3 * 1024 * 1024;

  private static final int MAX_LINE_BYTES = 16 * 1024;
  private static final int MAX_HEADER_BYTES = 64 * 1024;
  private static final int ACCEPT_BACKLOG = 512;
  private static final int REQUEST_THREADS = 16;
  private static final int MAX_WAITING_REQUESTS = 1024;
  private static final Duration START_TIMEOUT = Duration.ofSeconds(60);
  private static final Duration END_TIMEOUT = Duration.ofSeconds(5);

  /** How long the rest of a body that is too large is read and dropped. */
  private static final Duration LINGER = Duration.ofSeconds(5);

  private final Function<ApiRequest, Answer> handler;
  private final BooleanSupplier refusing;
  private final Vertx vertx;
  private final HttpServer server;
  private final ThreadPoolExecutor requests;
  private final Set<HttpConnection> connections = ConcurrentHashMap.newKeySet();
  private final InetSocketAddress address;

  /**
   * Starts to listen.
   *
   * @param address a loopback address; the server has no authentication, so others are refused
   * @param port 0 for any free one
   * @param handler answers requests; may block, and throws nothing
   * @param refusing while it is true every connection is closed without an answer
   * @throws IOException if the address cannot be bound
   */
  public HttpFrontend(
      InetAddress address, int port, Function<ApiRequest, Answer> handler, BooleanSupplier refusing)
      throws IOException {
    requireLoopback(address);
    this.handler = handler;
    this.refusing = refusing;
    this.requests =
        new ThreadPoolExecutor(
            REQUEST_THREADS,
            REQUEST_THREADS,
            30,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(MAX_WAITING_REQUESTS),
            daemons("apiserver-request"));
    requests.allowCoreThreadTimeOut(true);
    VertxOptions options =
        new VertxOptions()
            .setEventLoopPoolSize(1)
            .setWorkerPoolSize(1)
            .setInternalBlockingPoolSize(1)
            .setUseDaemonThread(true)
            .setFileSystemOptions(
                new FileSystemOptions()
                    .setFileCachingEnabled(false)
                    .setClassPathResolvingEnabled(false));
    // The agent's limits for connections would be taken up where the agent is on the class path.
    this.vertx = new VertxBuilder(options).serviceProviders(List.of()).init().vertx();
    this.server =
        vertx
            .createHttpServer(
                new HttpServerOptions()
                    .setMaxInitialLineLength(MAX_LINE_BYTES)
                    .setMaxHeaderSize(MAX_HEADER_BYTES)
                    .setHandle100ContinueAutomatically(true)
                    .setHttp2ClearTextEnabled(false)
                    .setAcceptBacklog(ACCEPT_BACKLOG))
            .connectionHandler(this::connected)
            .requestHandler(this::read)
            .invalidRequestHandler(HttpFrontend::refuseInvalid);
    try {
      SocketAddress wanted = SocketAddress.inetSocketAddress(new InetSocketAddress(address, port));
      await(server.listen(wanted), START_TIMEOUT);
    } catch (CompletionException e) {
      close();
      throw new IOException(
          "cannot listen on %s port %d: %s"
              .formatted(address.getHostAddress(), port, e.getCause().getMessage()),
          e);
    }
    this.address = new InetSocketAddress(address, server.actualPort());
  }

  /** Refuses every address that is reachable from outside the machine, with the reason. */
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
    return address;
  }

  /** Closes every open connection; new ones are accepted. Not to be called on the event loop. */
  public void closeConnections() {
    List<Future<?>> closing = new ArrayList<>();
    connections.forEach(connection -> closing.add(connection.close()));
    awaitEnd(Future.join(closing), "connections");
  }

  @Override
  public void close() {
    awaitEnd(server.close(), "listening socket");
    closeConnections();
    requests.shutdownNow();
    awaitEnd(vertx.close(), "event loop");
  }

  private void connected(HttpConnection connection) {
    if (refusing.getAsBoolean()) {
      connection.close();
      return;
    }
    connections.add(connection);
    connection.closeHandler(closed -> connections.remove(connection));
  }

  /** Collects the body of a request, up to the limit. */
  private void read(HttpServerRequest request) {
    if (refusing.getAsBoolean()) {
      request.connection().close();
      return;
    }
    Buffer body = Buffer.buffer();
    // The client left in the middle of its request; nothing is owed to it any more.
    request.exceptionHandler(
        failure -> LOG.log(System.Logger.Level.DEBUG, () -> "request ended: " + failure));
    request.endHandler(complete -> dispatch(request, body.getBytes()));
    request.handler(
        piece -> {
          if (body.length() + piece.length() > MAX_BODY_BYTES) {
            refuseTooLarge(request);
          } else {
            body.appendBuffer(piece);
          }
        });
  }

  /**
   * The rest of the body is still on its way, so the connection cannot be used again. The rest is
   * read and dropped for a while, because closing on unread bytes resets the connection, and the
   * client would lose the answer.
   */
  private void refuseTooLarge(HttpServerRequest request) {
    HttpConnection connection = request.connection();
    request.handler(dropped -> {});
    request.endHandler(complete -> connection.close());
    vertx.setTimer(LINGER.toMillis(), late -> connection.close());
    request.response().putHeader("Connection", "close");
    send(request.response(), Reply.failure(Failures.tooLarge(MAX_BODY_BYTES)));
  }

  private static void refuseInvalid(HttpServerRequest request) {
    String reason = request.decoderResult().cause().getMessage();
    HttpConnection connection = request.connection();
    request.response().putHeader("Connection", "close");
    send(request.response(), Reply.failure(Failures.badRequest("not an HTTP request: " + reason)))
        .onComplete(sent -> connection.close());
  }

  private void dispatch(HttpServerRequest request, byte[] body) {
    HttpServerResponse response = request.response();
    if ("websocket".equalsIgnoreCase(request.getHeader("Upgrade"))) {
      // Clients that try a WebSocket first take an empty 200 for a refusal, and go on with plain
      // HTTP at once.
      send(response, new Reply(200, "text/plain", new byte[0], List.of()));
      return;
    }
    Context context = vertx.getOrCreateContext();
    try {
      ApiRequest parsed = parse(request, body);
      requests.execute(() -> answer(context, response, handler.apply(parsed)));
    } catch (IllegalArgumentException e) {
      send(response, Reply.failure(Failures.badRequest("not a valid URL: " + e.getMessage())));
    } catch (RejectedExecutionException e) {
      send(response, Reply.failure(Failures.tooManyRequests("too many requests are waiting")));
    }
  }

  private static void answer(Context context, HttpServerResponse response, Answer answer) {
    if (answer instanceof Reply reply) {
      context.runOnContext(nothing -> send(response, reply));
    } else if (answer instanceof StreamedReply streamed) {
      VertxStream stream = new VertxStream(context, response);
      stream.execute(stream::open);
      streamed.start().accept(stream);
    }
  }

  private static ApiRequest parse(HttpServerRequest request, byte[] body) {
    Map<String, List<String>> query = new HashMap<>();
    for (String name : request.params().names()) {
      query.put(name, request.params().getAll(name));
    }
    Map<String, String> headers = new HashMap<>();
    request.headers().forEach((name, value) -> headers.put(name.toLowerCase(Locale.ROOT), value));
    return new ApiRequest(
        request.method().name(),
        URLDecoder.decode(request.path().replace("+", "%2B"), StandardCharsets.UTF_8),
        query,
        Map.copyOf(headers),
        body);
  }

  private static Future<Void> send(HttpServerResponse response, Reply reply) {
    if (response.closed()) {
      return Future.succeededFuture();
    }
    response
        .setStatusCode(reply.code())
        .putHeader("Content-Type", reply.contentType())
        .putHeader("Cache-Control", "no-cache, private");
    for (String warning : reply.warnings()) {
      String quoted =
          warning.replace("\\", "\\\\").replace("\"", "\\\"").replaceAll("[\\r\\n]+", " ");
      response.headers().add("Warning", "299 - \"" + quoted + "\"");
    }
    if (reply.code() == 429) {
      response.putHeader("Retry-After", "1");
    }
    return response.end(Buffer.buffer(reply.body()));
  }

  private static void await(Future<?> future, Duration timeout) {
    future
        .toCompletionStage()
        .toCompletableFuture()
        .orTimeout(timeout.toMillis(), TimeUnit.MILLISECONDS)
        .join();
  }

  private static void awaitEnd(Future<?> future, String what) {
    try {
      await(future, END_TIMEOUT);
    } catch (CompletionException e) {
      LOG.log(System.Logger.Level.DEBUG, () -> what + " did not close in time: " + e.getCause());
    } catch (RejectedExecutionException e) {
      // Vert.x reports the end on its event loop, which may have ended already.
      LOG.log(System.Logger.Level.DEBUG, () -> what + " closed, and the event loop with it");
    }
  }

  private static ThreadFactory daemons(String name) {
    return task -> {
      Thread thread = new Thread(task, name);
      thread.setDaemon(true);
      return thread;
    };
  }
}
