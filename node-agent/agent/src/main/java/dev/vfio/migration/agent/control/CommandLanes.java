package dev.vfio.migration.agent.control;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jboss.logging.Logger;

/**
 * The threads that take commands to their sessions. Nothing else runs there: neither looks at
 * devices nor probes of health can keep a command of a pause waiting, and no command that begins
 * something can keep one waiting that decides or ends it.
 *
 * <p>Safe for use by several threads.
 */
public final class CommandLanes implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger(CommandLanes.class);
  private static final int MAX_WAITING = 1024;

  /** Which commands go together. */
  public enum Lane {
    /** PrepareDestination, StartSource. */
    BEGINNING("begins", 2),
    /** SwitchOver, Commit, Activate, RollBack, Cancel. */
    DECIDING("decides", 4);

    private final String name;
    private final int threads;

    Lane(String name, int threads) {
      this.name = name;
      this.threads = threads;
    }
  }

  private final Duration longestWait;
  private final Runnable served;
  private final List<ThreadPoolExecutor> executors = new ArrayList<>();
  private final List<Beat> beats = new ArrayList<>();

  /**
   * @param longestWait of a command for its thread
   * @param served what every command needs besides a thread
   */
  public CommandLanes(Duration longestWait, Runnable served) {
    this.longestWait = longestWait;
    this.served = served;
    for (Lane lane : Lane.values()) {
      AtomicInteger number = new AtomicInteger();
      ThreadPoolExecutor executor =
          new ThreadPoolExecutor(
              lane.threads,
              lane.threads,
              0,
              TimeUnit.SECONDS,
              new LinkedBlockingQueue<>(MAX_WAITING),
              task -> {
                Thread thread =
                    new Thread(task, "command-" + lane.name + "-" + number.incrementAndGet());
                thread.setDaemon(true);
                return thread;
              });
      // Before they are needed: a node that is short of threads must not lose a decision for it.
      executor.prestartAllCoreThreads();
      executors.add(executor);
      beats.add(new Beat(lane));
    }
  }

  /**
   * Runs {@code command} on a thread of that lane; the thread outlives whatever the command throws.
   *
   * @throws RejectedExecutionException where as many commands wait as may wait
   */
  void execute(Lane lane, Runnable command) {
    executors.get(lane.ordinal()).execute(() -> run(command));
  }

  private static void run(Runnable command) {
    try {
      command.run();
    } catch (Throwable fault) {
      // Also an Error: a node that is short of threads could not make another one for the lane.
      LOG.error("a fault in the agent while it carried out a command", fault);
    }
  }

  /**
   * Whether a command would be carried out now: sends one that does nothing, unless an earlier one
   * is under way.
   *
   * @return done when it was carried out, with an empty text, or when it has waited for too long,
   *     with what to say of that
   */
  public CompletableFuture<String> probe(Lane lane) {
    return beats.get(lane.ordinal()).probe();
  }

  /** A command that does nothing, at most one at a time. */
  private final class Beat {
    private final Lane lane;
    private CompletableFuture<Void> underWay;
    private long sentAt;

    Beat(Lane lane) {
      this.lane = lane;
    }

    synchronized CompletableFuture<String> probe() {
      if (underWay == null || underWay.isDone()) {
        sentAt = System.nanoTime();
        underWay = new CompletableFuture<>();
        try {
          execute(lane, beat(underWay));
        } catch (RejectedExecutionException full) {
          underWay.completeExceptionally(full);
          return CompletableFuture.completedFuture(
              MAX_WAITING + " commands wait for a thread, and that is the limit");
        }
      }
      long left = Math.max(0, sentAt + longestWait.toNanos() - System.nanoTime());
      return underWay
          .thenApply(carriedOut -> "")
          .completeOnTimeout(
              "a command that does nothing was not carried out within "
                  + longestWait.toMillis()
                  + " ms: no session here can be told to commit or to roll back",
              left,
              TimeUnit.NANOSECONDS);
    }

    private Runnable beat(CompletableFuture<Void> carriedOut) {
      return () -> {
        try {
          served.run();
          carriedOut.complete(null);
        } catch (RuntimeException | Error fault) {
          carriedOut.completeExceptionally(fault);
        }
      };
    }
  }

  @Override
  public void close() {
    executors.forEach(ThreadPoolExecutor::shutdown);
  }
}
