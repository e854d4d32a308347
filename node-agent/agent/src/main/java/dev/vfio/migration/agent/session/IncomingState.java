package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.DestinationEvent;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.agent.stream.StateSink;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.MigratableDevice;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.Consumer;

/**
 * The destination's end of the stream. What arrives goes straight into device and windows, on the
 * stream's own threads: while it is open the device is lent to them, and {@link #close()} takes it
 * back before the session's thread touches it again.
 */
final class IncomingState implements StateSink {
  private final String session;
  private final MigratableDevice device;
  private final List<WindowSpec> windows;
  private final WindowMemory.Mapped memory;
  private final SessionThread thread;
  private final SessionClock clock;
  private final Consumer<DestinationEvent> events;

  /** For reading by whoever writes to device or windows, for writing by who takes them back. */
  private final ReadWriteLock deviceLock = new ReentrantReadWriteLock();

  private final AtomicLong deviceStateBytes = new AtomicLong();
  private final AtomicLong memoryBytes = new AtomicLong();
  private final CompletableFuture<Void> verdict = new CompletableFuture<>();
  // Guarded by deviceLock.
  private boolean closed;
  private volatile long pausedAtNanos;

  IncomingState(
      String session,
      MigratableDevice device,
      List<WindowSpec> windows,
      WindowMemory.Mapped memory,
      SessionThread thread,
      SessionClock clock,
      Consumer<DestinationEvent> events) {
    this.session = session;
    this.device = device;
    this.windows = windows;
    this.memory = memory;
    this.thread = thread;
    this.clock = clock;
    this.events = events;
  }

  long deviceStateBytes() {
    return deviceStateBytes.get();
  }

  long memoryBytes() {
    return memoryBytes.get();
  }

  @Override
  public void started() {
    events.accept(new DestinationEvent.StreamStarted());
  }

  @Override
  public void deviceState(ByteBuffer part, long following) throws IOException {
    int size = part.remaining();
    deviceLock.readLock().lock();
    try {
      requireOpen();
      device.writeState(part, following);
      requireTaken(part, size);
    } catch (DeviceException problem) {
      throw failed(Failures.of(problem), problem);
    } finally {
      deviceLock.readLock().unlock();
    }
    deviceStateBytes.addAndGet(size);
  }

  @Override
  public void memory(int window, long offset, ByteBuffer content) throws IOException {
    int size = content.remaining();
    deviceLock.readLock().lock();
    try {
      requireOpen();
      requireInside(window, offset, size);
      memory.write(window, offset, content);
      if (content.hasRemaining()) {
        throw new IOException("it took " + (size - content.remaining()) + " of " + size + " bytes");
      }
    } catch (StreamException problem) {
      throw failed(Failures.of(problem), problem);
    } catch (IOException problem) {
      throw failed(
          Failure.of(
              Reason.MEMORY_UNREACHABLE,
              "the memory window %s cannot be written at %s: %s",
              windows.get(window).name(),
              offset,
              problem.getMessage()),
          problem);
    } finally {
      deviceLock.readLock().unlock();
    }
    memoryBytes.addAndGet(size);
  }

  private void requireInside(int window, long offset, int size) throws StreamException {
    if (window < 0
        || window >= windows.size()
        || offset < 0
        || offset > windows.get(window).size() - size) {
      throw new StreamException(
          StreamException.Kind.CORRUPT,
          String.format(
              "%s bytes for offset %s of window %s are outside the windows of %s; nothing of them"
                  + " was written",
              size, offset, window, session));
    }
  }

  /** A driver that takes less than it is given has not said so by failing. */
  private void requireTaken(ByteBuffer part, int size) throws DeviceException {
    if (part.hasRemaining()) {
      throw new DeviceException(
          DeviceException.Kind.WRITE_FAILED,
          0,
          String.format(
              "the device of %s took %s of %s bytes of state that it was given. %s",
              session, size - part.remaining(), size, DeviceFailures.INCOMPLETE));
    }
  }

  private void requireOpen() throws StreamException {
    if (closed) {
      throw new StreamException(
          StreamException.Kind.REFUSED,
          "the destination " + session + " takes nothing in any more");
    }
  }

  /** Our own reason goes first: the stream will report no more than that it broke. */
  private IOException failed(Failure failure, IOException problem) {
    events.accept(new DestinationEvent.StreamBroke(failure));
    return problem;
  }

  @Override
  public void paused(long pausedNanos) {
    pausedAtNanos = clock.nanoTime() - pausedNanos;
  }

  /**
   * {@inheritDoc}
   *
   * <p>Reports StreamComplete to the machine and waits for its verdict: {@link #confirm} once
   * Loaded is journalled, or {@link #reject}.
   */
  @Override
  public void complete() throws IOException {
    events.accept(
        new DestinationEvent.StreamComplete(
            deviceStateBytes.get(), memoryBytes.get(), pausedAtNanos));
    try {
      thread.await(verdict);
    } catch (ExecutionException rejected) {
      throw new StreamException(
          StreamException.Kind.REFUSED, rejected.getCause().getMessage(), rejected);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      InterruptedIOException problem =
          new InterruptedIOException("the agent ends while " + session + " is being loaded");
      problem.initCause(interrupted);
      throw problem;
    }
  }

  @Override
  public void broken(StreamException why) {
    events.accept(new DestinationEvent.StreamBroke(Failures.of(why)));
  }

  void confirm() {
    verdict.complete(null);
  }

  void reject(Failure failure) {
    verdict.completeExceptionally(new Refusal(failure));
  }

  /** Returns once nothing of the stream touches device or windows any more. */
  void close() {
    deviceLock.writeLock().lock();
    try {
      closed = true;
    } finally {
      deviceLock.writeLock().unlock();
    }
  }
}
