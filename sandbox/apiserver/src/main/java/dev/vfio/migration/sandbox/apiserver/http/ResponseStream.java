package dev.vfio.migration.sandbox.apiserver.http;

import java.time.Duration;

/**
 * The body of an answer that goes on until one side ends it. All methods but {@link #execute} must
 * be called on the stream's own thread, that is from a task given to {@link #execute} or {@link
 * #schedule} or from a callback.
 */
public interface ResponseStream {
  /** Sends a piece of the body at once. */
  void write(byte[] bytes);

  /**
   * Whether the client takes what is sent; if not, hold back until the callback of {@link
   * #onWritable}.
   */
  boolean writable();

  /** Ends the body; later writes are dropped. */
  void end();

  /** Runs a task on the stream's thread; dropped when the server is stopping. */
  void execute(Runnable task);

  /** Runs a task on the stream's thread later. */
  void schedule(Duration delay, Runnable task);

  /** Sets what to do when the client takes data again after a time in which it did not. */
  void onWritable(Runnable callback);

  /**
   * Sets what to do, once, when either side has ended the stream; run at once if it is over
   * already.
   */
  void onEnd(Runnable callback);
}
