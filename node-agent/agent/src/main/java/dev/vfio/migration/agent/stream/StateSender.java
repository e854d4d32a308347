package dev.vfio.migration.agent.stream;

import java.time.Duration;

/**
 * The source's end of the state stream: one TLS session with one or more connections. Made
 * connected and authenticated.
 *
 * <p>Used by the one thread that owns the device. Memory is bounded by the ring of buffers: {@link
 * #acquire()} blocks while the destination is slower than the device, and that is the
 * back-pressure.
 */
public interface StateSender extends AutoCloseable {

  /** Takes a free buffer; waits until one is free. */
  ChunkBuffer acquire() throws StreamException, InterruptedException;

  /**
   * Sends the buffer's bytes, 0 to its position, as the next chunk of device state. Order is kept.
   */
  default void deviceState(ChunkBuffer chunk) throws StreamException {
    deviceState(chunk, 0);
  }

  /**
   * Sends the buffer's bytes, 0 to its position, as the next part of a chunk of device state. Order
   * is kept.
   *
   * @param following bytes of the same chunk that the next calls will send
   */
  void deviceState(ChunkBuffer part, long following) throws StreamException;

  /**
   * Sends the buffer's bytes, 0 to its position, as content of a DMA window. Two sends for the same
   * place arrive in order; sends for different places may travel on different connections.
   *
   * @param window index of the window in the workload's declaration
   * @param offset byte offset in the window
   */
  void memory(ChunkBuffer chunk, int window, long offset) throws StreamException;

  /**
   * Marks that the workload stands still.
   *
   * @param pausedNanos nanoseconds that have passed since its pause was asked for
   */
  void paused(long pausedNanos) throws StreamException;

  /** From now on no bandwidth limit holds: the workload stands still. */
  void liftBandwidthLimit();

  /**
   * Sends the end mark with the digest on every connection. The caller must have journalled that it
   * may do so: from here on the destination may hold a complete state.
   */
  void end() throws StreamException;

  /**
   * Waits until the destination has said that it holds everything, verified.
   *
   * @throws StreamException STREAM_BROKEN where that was not heard within {@code timeout}: it may
   *     have loaded or not
   */
  void awaitLoaded(Duration timeout) throws StreamException, InterruptedException;

  /** Bytes of device state that were handed to {@link #deviceState} so far. */
  long deviceStateBytes();

  /** Bytes of DMA windows that were handed to {@link #memory} so far. */
  long memoryBytes();

  /** Payload bytes handed to the network so far. */
  long sentBytes();

  /** Closes every connection at once. Safe to call again and from any thread. */
  @Override
  void close();
}
