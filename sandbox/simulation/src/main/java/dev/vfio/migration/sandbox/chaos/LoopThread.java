package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.agent.session.SessionThread;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;

/** A session's thread as a lane of the loop. */
final class LoopThread implements SessionThread {

  /** Thrown by what would have to wait: it is tried again later. */
  static final class NotYet extends RuntimeException {
    private static final long serialVersionUID = 1L;

    NotYet() {
      super("not yet", null, false, false);
    }
  }

  private static final long TRY_AGAIN_NANOS = 1_000_000;

  private final Loop.Lane lane;
  private final Loop.Lane beside;

  LoopThread(Loop.Lane lane, Loop.Lane beside) {
    this.lane = lane;
    this.beside = beside;
  }

  @Override
  public void execute(Runnable task) {
    lane.add(task);
  }

  @Override
  public Timer schedule(Duration delay, Runnable task) {
    return lane.later(delay.toNanos(), task)::cancel;
  }

  @Override
  public void waitBeside(Runnable waiting) {
    beside.add(
        () -> {
          try {
            waiting.run();
          } catch (NotYet later) {
            beside.later(TRY_AGAIN_NANOS, () -> waitBeside(waiting));
          }
        });
  }

  @Override
  public void await(CompletableFuture<?> answer) throws InterruptedException, ExecutionException {
    while (!answer.isDone()) {
      if (!lane.runNext()) {
        throw new AssertionError("nobody will ever answer on " + lane);
      }
    }
    answer.get();
  }
}
