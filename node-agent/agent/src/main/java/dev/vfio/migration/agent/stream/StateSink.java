package dev.vfio.migration.agent.stream;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Where the destination's end of the state stream delivers. Device state and marks come in order
 * from one thread; memory may come from several threads at once, but never two for the same place.
 * While a method works the connection it came from is not read: that is the back-pressure. An
 * exception breaks the stream, and the source gets its message.
 */
public interface StateSink {

  /** The first connection was accepted. */
  void started();

  /**
   * One chunk of device state, with the source's boundaries, or the next part of one. The buffer is
   * direct and only valid during the call.
   *
   * @param following bytes of the same chunk that the next calls bring; 0 for a chunk's end
   */
  void deviceState(ByteBuffer part, long following) throws IOException;

  /** Content of a DMA window. The buffer is direct and only valid during the call. */
  void memory(int window, long offset, ByteBuffer content) throws IOException;

  /**
   * The workload at the source stands still since {@code pausedNanos} before this mark was sent.
   */
  void paused(long pausedNanos);

  /**
   * Every connection ended and every digest was right. Returns once the state is loaded and held;
   * only then the source hears of it so.
   */
  void complete() throws IOException;

  /**
   * The stream broke before it was complete. Called at most once, never after {@link #complete()}
   * returned.
   */
  void broken(StreamException why);
}
