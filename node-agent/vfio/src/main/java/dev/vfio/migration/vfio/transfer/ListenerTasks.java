package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.linux.SocketWatch;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * Tasks that other threads give to the listener's thread. They wait for it, but not without end: a
 * thread that hangs is named. Safe for use by several threads, but for {@link #run()}, which is the
 * listener's.
 */
final class ListenerTasks {
  private static final System.Logger LOG = System.getLogger(ListenerTasks.class.getName());

  private final String whose;
  private final SocketWatch watch;
  private final Duration timeout;
  private final Queue<Runnable> tasks = new ConcurrentLinkedQueue<>();
  private volatile boolean closed;

  /**
   * @param whose for messages
   * @param watch that the thread waits at
   * @param timeout for a task that does not wait for anything itself
   */
  ListenerTasks(String whose, SocketWatch watch, Duration timeout) {
    this.whose = whose;
    this.watch = watch;
    this.timeout = timeout;
  }

  /** No task is taken any more; those in the queue are still run. */
  void close() {
    closed = true;
  }

  boolean closed() {
    return closed;
  }

  /** Gives a task and does not wait for it. Once the listener has ended the task is dropped. */
  void post(Runnable task) {
    tasks.add(task);
    try {
      if (!closed) {
        watch.wake();
      }
    } catch (IOException | IllegalStateException ended) {
      LOG.log(System.Logger.Level.DEBUG, whose + " ends", ended);
    }
    if (closed) {
      // The listener's thread does what is left when it ends; what comes later nobody does.
      tasks.remove(task);
    }
  }

  /** Gives a task and waits for its end. */
  <T> T call(Callable<T> task) throws IOException {
    CompletableFuture<T> done = new CompletableFuture<>();
    AtomicBoolean begun = new AtomicBoolean();
    tasks.add(
        () -> {
          if (begun.compareAndSet(false, true)) {
            try {
              done.complete(task.call());
            } catch (Exception | Error failure) {
              done.completeExceptionally(failure);
            }
          }
        });
    if (closed) {
      throw new IOException(whose + " is closed");
    }
    watch.wake();
    try {
      return get(done, timeout);
    } catch (TimeoutException late) {
      throw late(whose, timeout, begun.compareAndSet(false, true), late);
    }
  }

  /**
   * Waits for the end of what a task began.
   *
   * @param what for messages
   * @param cancel done by the listener's thread; true where it had not begun
   */
  <T> T await(
      CompletableFuture<T> done, Duration timeout, String what, Callable<Optional<Boolean>> cancel)
      throws IOException {
    try {
      return get(done, timeout);
    } catch (TimeoutException late) {
      throw late(what, timeout, call(cancel).orElse(false), late);
    }
  }

  /** The listener's thread is quick; what it does must not be left half known. */
  private static <T> T get(CompletableFuture<T> done, Duration timeout)
      throws IOException, TimeoutException {
    long start = System.nanoTime();
    boolean interrupted = false;
    try {
      while (true) {
        try {
          long left = timeout.toNanos() - (System.nanoTime() - start);
          return done.get(left, TimeUnit.NANOSECONDS);
        } catch (InterruptedException whileWaiting) {
          interrupted = true;
        } catch (ExecutionException failure) {
          if (failure.getCause() instanceof IOException problem) {
            throw problem;
          }
          throw new IllegalStateException(failure.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
    }
  }

  private static IOException late(
      String what, Duration timeout, boolean undone, TimeoutException late) {
    return new IOException(
        what
            + " did not answer within "
            + timeout.toMillis()
            + " ms"
            + (undone ? "; nothing was done" : "; whether what it was asked is done is not known")
            + ". Restart the agent if that lasts; a thread dump shows at what the threads"
            + " workload-listener hang.",
        late);
  }

  void run() {
    for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
      try {
        task.run();
      } catch (RuntimeException fault) {
        LOG.log(System.Logger.Level.ERROR, "a fault of " + whose, fault);
      }
    }
  }
}
