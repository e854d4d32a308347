package dev.vfio.migration.sandbox.apiserver.http;

import io.vertx.core.Context;
import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerResponse;
import java.util.concurrent.RejectedExecutionException;

/** A response of Vert.x as a stream; its thread is the event loop of the connection. */
final class VertxStream implements ResponseStream {
  private static final System.Logger LOG = System.getLogger(VertxStream.class.getName());

  private final Context context;
  private final HttpServerResponse response;
  private Runnable atEnd = () -> {};
  private boolean ended;

  VertxStream(Context context, HttpServerResponse response) {
    this.context = context;
    this.response = response;
  }

  /** Sends the head of the answer; the first task on the stream's thread. */
  void open() {
    if (response.closed()) {
      ended();
      return;
    }
    response.closeHandler(closed -> ended());
    response
        .putHeader("Content-Type", "application/json")
        .putHeader("Cache-Control", "no-cache, private")
        .setChunked(true)
        .write(Buffer.buffer());
  }

  @Override
  public void write(byte[] bytes) {
    if (!ended) {
      response.write(Buffer.buffer(bytes));
    }
  }

  @Override
  public boolean writable() {
    return !ended && !response.writeQueueFull();
  }

  @Override
  public void end() {
    if (!ended) {
      response.end();
      ended();
    }
  }

  @Override
  public void execute(Runnable task) {
    try {
      context.runOnContext(nothing -> task.run());
    } catch (RejectedExecutionException e) {
      LOG.log(System.Logger.Level.DEBUG, () -> "dropped, the server is stopping: " + e);
    }
  }

  @Override
  public void onWritable(Runnable callback) {
    if (!ended) {
      response.drainHandler(drained -> callback.run());
    }
  }

  @Override
  public void onEnd(Runnable callback) {
    if (ended) {
      callback.run();
    } else {
      atEnd = callback;
    }
  }

  private void ended() {
    if (!ended) {
      ended = true;
      atEnd.run();
    }
  }
}
