package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.StateFile;
import dev.vfio.migration.vfio.access.StateFile.PrecopyInfo;
import dev.vfio.migration.vfio.linux.Errno;
import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * The data file of the current stream, if there is one. One thread uses it; {@link #closeForGood()}
 * may come from any thread.
 */
final class DataFile {
  /** Bytes that one read asks for. */
  static final int MAX_BYTES_AT_ONCE = 1 << 20;

  /** Short, because a running device may have nothing for long and the reader has other work. */
  private static final Duration TIMEOUT_WHILE_RUNNING = Duration.ofMillis(50);

  /** The workload stands still, and the reader counts the tries. */
  private static final Duration TIMEOUT_WHILE_STOPPED = Duration.ofSeconds(2);

  private static final Duration TIMEOUT_WHILE_LOADING = Duration.ofSeconds(60);

  private StateFile file;
  private boolean closedForGood;
  private boolean ended;
  private boolean broken;
  private long readWhileStopped;

  /** Begins a stream, and ends the one before. */
  void begin(StateFile next) {
    close();
    ended = false;
    broken = false;
    readWhileStopped = 0;
    boolean tooLate;
    synchronized (this) {
      tooLate = closedForGood;
      file = tooLate ? null : next;
    }
    if (tooLate) {
      next.close();
    }
  }

  synchronized boolean isOpen() {
    return file != null;
  }

  /** Whether this stream was read to its end. */
  boolean ended() {
    return ended;
  }

  /** Whether the device refused a part of this stream. */
  boolean isBroken() {
    return broken;
  }

  /**
   * Reads what is there, at most {@link #MAX_BYTES_AT_ONCE}, and advances the buffer.
   *
   * @param stopped whether the device stands still, so that the end of the file is the end
   * @return bytes read, 0 where there is nothing now
   */
  int read(ByteBuffer chunk, boolean stopped) throws AccessException {
    requireDirect(chunk);
    if (!chunk.hasRemaining()) {
      throw new IllegalArgumentException("a buffer without room for state");
    }
    if (ended) {
      return 0;
    }
    StateFile open = requireOpen();
    int position = chunk.position();
    int limit = chunk.limit();
    chunk.limit(position + Math.min(chunk.remaining(), MAX_BYTES_AT_ONCE));
    try {
      int read = open.read(chunk, stopped ? TIMEOUT_WHILE_STOPPED : TIMEOUT_WHILE_RUNNING);
      // While the device runs more may follow, however the driver says "nothing".
      ended = read == 0 && stopped;
      readWhileStopped += stopped ? read : 0;
      return read;
    } catch (AccessException failure) {
      chunk.position(position);
      if (isNothingNow(failure)) {
        return 0;
      }
      throw failure;
    } finally {
      chunk.limit(limit);
    }
  }

  private static boolean isNothingNow(AccessException failure) {
    return failure.reason() == Reason.REFUSED
        && (failure.errno() == Errno.ENOMSG.number()
            || failure.errno() == Errno.ETIMEDOUT.number());
  }

  void write(ByteBuffer chunk) throws AccessException {
    requireDirect(chunk);
    StateFile open = requireOpen();
    try {
      open.write(chunk, TIMEOUT_WHILE_LOADING);
    } catch (AccessException failure) {
      broken = true;
      throw failure;
    }
  }

  /** Bytes of this stream that were read since the device stopped. */
  long readWhileStopped() {
    return readWhileStopped;
  }

  /**
   * The driver's estimate; zeros where it refuses to estimate. ENODEV still counts as a failure,
   * because it says that the stream is stale.
   */
  PrecopyInfo precopyInfo() throws AccessException {
    StateFile open = requireOpen();
    try {
      return open.precopyInfo();
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED || failure.refusedWith(Errno.ENODEV)) {
        throw failure;
      }
      return new PrecopyInfo(0, 0);
    }
  }

  private synchronized StateFile requireOpen() throws AccessException {
    if (file == null) {
      throw new AccessException(
          Reason.REFUSED,
          closedForGood ? Errno.EBADF.number() : 0,
          "this agent has no data file of the device");
    }
    return file;
  }

  /** Ends the current stream, if there is one. */
  void close() {
    StateFile open;
    synchronized (this) {
      open = file;
      file = null;
    }
    if (open != null) {
      open.close();
    }
  }

  /** As {@link #close()}; a stream that begins later is closed at once. */
  void closeForGood() {
    synchronized (this) {
      closedForGood = true;
    }
    close();
  }

  private static void requireDirect(ByteBuffer chunk) {
    if (!chunk.isDirect()) {
      throw new IllegalArgumentException("state travels in direct buffers only");
    }
  }
}
