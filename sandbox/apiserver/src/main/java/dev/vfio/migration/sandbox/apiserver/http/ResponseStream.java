package dev.vfio.migration.sandbox.apiserver.http;

/**
 * The body of an answer that continues until one side ends it. All methods but {@link #execute}
 * must be called on the stream's own thread, that is from a task given to {@link #execute} or from
 * a callback. That thread serves all connections, so nothing on it may block.
 */
public interface ResponseStream {
  /** Sends a piece of the body at once. */
  void write(byte[] bytes);

  /**
   * Whether the client takes what is sent; if it does not, hold back until the callback of {@link
   * #onWritable}.
   */
  boolean writable();

  /** Ends the body; later writes are dropped. */
  void end();

  /** Runs a task on the stream's thread; the task is dropped when the server is stopping. */
  void execute(Runnable task);

  /** Sets what to do when the client takes data again after a time in which it took none. */
  void onWritable(Runnable callback);

  /**
   * Sets what to do, once, when either side has ended the stream; it runs at once if the stream has
   * ended already.
   */
  void onEnd(Runnable callback);
}
