package dev.vfio.migration.agent.session;

import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/**
 * The one thread that owns a session's device. A simulation hands in its own: nothing in a session
 * waits or sleeps by other means than {@link #schedule}.
 */
public interface SessionThread {

  /** Takes back a scheduled task; one that runs already is not stopped. */
  interface Timer {
    void cancel();
  }

  /** Runs the task on this thread, after those handed in before. */
  void execute(Runnable task);

  /** Runs the task on this thread after that time. */
  Timer schedule(Duration delay, Runnable task);

  /**
   * Runs something that waits for the other end of the stream, beside this thread: it touches
   * neither device nor workload and reports by {@link #execute}.
   */
  void waitBeside(Runnable waiting);

  /**
   * Waits, on another thread than this one, until this one has given the answer.
   *
   * @throws ExecutionException where the answer is a failure
   */
  void await(CompletableFuture<?> answer) throws InterruptedException, ExecutionException;
}
