package dev.vfio.migration.agent.control;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The threads that look at devices, and nothing else. A driver or a server may keep such a thread
 * for ever: a system call that hangs cannot be interrupted. So each look has a time; one that is
 * over it is given up by those who wait for it, and its thread is no longer counted among those
 * that may look side by side, until too many threads hang. Then nothing more begins before one of
 * them comes back.
 *
 * <p>Safe for use by several threads; no method waits for a look. Answers are given on the look's
 * own thread or on the one that keeps the time, and must not block it.
 */
final class LookThreads implements AutoCloseable {

  /** What begins first where not all looks can begin. */
  enum Rank {
    /** Finds out which devices there are. */
    NAMES,
    /** Looks at a device that somebody asked for by its name. */
    NAMED,
    /** Looks at a device for a listing of all. */
    USUAL,
    /** Looks, for a listing of all, at a device that did not answer the last look in time. */
    SLOW
  }

  /**
   * How many at once, threads over their time apart.
   *
   * @param time of one look
   * @param usual looks at all devices side by side
   * @param named looks at devices that were asked for by name, side by side
   * @param hanging threads over their time that others are begun for
   */
  record Limits(Duration time, int usual, int named, int hanging) {
    int of(Rank rank) {
      return switch (rank) {
        case NAMES -> 1;
        case NAMED -> named;
        case USUAL, SLOW -> usual;
      };
    }
  }

  /** Whose threads are counted together. */
  private static Rank counted(Rank rank) {
    return rank == Rank.SLOW ? Rank.USUAL : rank;
  }

  /**
   * One look.
   *
   * @param <T> what it finds
   */
  final class Look<T> {
    private final Rank rank;
    private final Callable<T> work;
    private final CompletableFuture<T> answer = new CompletableFuture<>();
    private final CompletableFuture<Void> end = new CompletableFuture<>();
    // Guarded by the threads' lock.
    private boolean waiting = true;
    private boolean notCounted;
    private Future<?> timer;
    private volatile boolean timedOut;

    private Look(Rank rank, Callable<T> work) {
      this.rank = rank;
      this.work = work;
    }

    /**
     * What was found; {@link TimeoutException} where it was not found in time, {@link
     * CancellationException} where the look was withdrawn.
     */
    CompletableFuture<T> answer() {
      return answer;
    }

    /** Done once the look has no thread any more, after its answer. */
    CompletableFuture<Void> end() {
      return end;
    }

    /** Whether it is over its time and has its thread still. */
    boolean hangs() {
      return timedOut && !end.isDone();
    }

    /** Takes back a look that has not begun. */
    boolean withdraw() {
      synchronized (lock) {
        if (!waiting) {
          return false;
        }
        waiting = false;
        queues.get(rank).remove(this);
      }
      answer.completeExceptionally(new CancellationException());
      end.complete(null);
      return true;
    }

    private void run() {
      T found = null;
      Throwable failure = null;
      try {
        found = work.call();
      } catch (Throwable thrown) {
        // Also an Error: whoever waits gets it.
        failure = thrown;
      }
      try {
        ended(this);
      } finally {
        // Also where the next look could not begin, because there is no memory for a thread.
        if (failure == null) {
          answer.complete(found);
        } else {
          answer.completeExceptionally(failure);
        }
        end.complete(null);
      }
    }
  }

  private final Limits limits;
  private final AtomicLong threadNumbers = new AtomicLong();
  private final ExecutorService threads;
  private final ScheduledThreadPoolExecutor timer;
  private final Object lock = new Object();
  // All guarded by the lock.
  private final Map<Rank, Deque<Look<?>>> queues = new EnumMap<>(Rank.class);
  private final Map<Rank, Integer> counts = new EnumMap<>(Rank.class);
  private int hanging;
  private boolean closed;

  LookThreads(Limits limits) {
    this.limits = limits;
    this.threads =
        Executors.newCachedThreadPool(
            task -> daemon(task, "device-look-" + threadNumbers.incrementAndGet()));
    this.timer = new ScheduledThreadPoolExecutor(1, task -> daemon(task, "device-look-timer"));
    timer.setRemoveOnCancelPolicy(true);
    for (Rank rank : Rank.values()) {
      queues.put(rank, new ArrayDeque<>());
      counts.put(rank, 0);
    }
  }

  private static Thread daemon(Runnable task, String name) {
    Thread thread = new Thread(task, name);
    thread.setDaemon(true);
    return thread;
  }

  /**
   * A look that has not begun: it is to be {@link #enqueue enqueued} once all who wait for it
   * listen.
   */
  <T> Look<T> look(Rank rank, Callable<T> work) {
    return new Look<>(rank, work);
  }

  /** Looks as soon as a thread is free. */
  void enqueue(Look<?> look) {
    synchronized (lock) {
      if (closed) {
        throw new RejectedExecutionException("the agent ends: no device is looked at any more");
      }
      queues.get(look.rank).add(look);
      beginThoseThatMay();
    }
  }

  /** Looks that have not begun. */
  int waiting(Rank rank) {
    synchronized (lock) {
      return queues.get(rank).size();
    }
  }

  /** Threads that are over their time. */
  int hanging() {
    synchronized (lock) {
      return hanging;
    }
  }

  /** Runs a short task after that time. */
  Future<?> after(Duration delay, Runnable task) {
    return timer.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS);
  }

  private void beginThoseThatMay() {
    for (Rank rank : Rank.values()) {
      Deque<Look<?>> queue = queues.get(rank);
      while (!closed && !queue.isEmpty() && counts.get(counted(rank)) < limits.of(rank)) {
        begin(queue.peek());
        queue.remove();
      }
    }
  }

  private void begin(Look<?> look) {
    threads.execute(look::run);
    look.waiting = false;
    counts.merge(counted(look.rank), 1, Integer::sum);
    look.timer = after(limits.time(), () -> overdue(look));
  }

  private void overdue(Look<?> look) {
    synchronized (lock) {
      if (look.timer == null) {
        return;
      }
      look.timedOut = true;
    }
    look.answer.completeExceptionally(new TimeoutException());
    synchronized (lock) {
      if (look.timer != null && hanging < limits.hanging()) {
        hanging++;
        look.notCounted = true;
        counts.merge(counted(look.rank), -1, Integer::sum);
        beginThoseThatMay();
      }
    }
  }

  private void ended(Look<?> look) {
    synchronized (lock) {
      if (look.timer != null) {
        look.timer.cancel(false);
        look.timer = null;
      }
      if (look.notCounted) {
        hanging--;
      } else {
        counts.merge(counted(look.rank), -1, Integer::sum);
      }
      beginThoseThatMay();
    }
  }

  /** Nothing begins any more; looks that hang are left alone. */
  @Override
  public void close() {
    synchronized (lock) {
      closed = true;
    }
    threads.shutdown();
    timer.shutdownNow();
  }
}
