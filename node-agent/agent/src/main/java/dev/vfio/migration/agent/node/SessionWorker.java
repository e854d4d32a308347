package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.SessionEnvironment.ThreadName;
import dev.vfio.migration.agent.session.SessionThread;
import dev.vfio.migration.connections.log.LoggedMigration;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * A session's thread. It ends by itself while there is nothing to do, so that a session that only
 * waits, or is only remembered, costs none. What it logs carries the migration's name and attempt.
 */
final class SessionWorker implements SessionThread {
  private static final Logger LOG = Logger.getLogger(SessionWorker.class);
  private static final Duration IDLE = Duration.ofSeconds(10);

  private final ThreadName name;
  private final ScheduledThreadPoolExecutor executor;

  SessionWorker(ThreadName name) {
    this.name = name;
    this.executor = new ScheduledThreadPoolExecutor(1, task -> daemon("session-", task));
    executor.setKeepAliveTime(IDLE.toMillis(), TimeUnit.MILLISECONDS);
    executor.allowCoreThreadTimeOut(true);
    executor.setRemoveOnCancelPolicy(true);
  }

  private Thread daemon(String prefix, Runnable task) {
    Thread thread = new Thread(task, prefix + name.key());
    thread.setDaemon(true);
    return thread;
  }

  @Override
  public void execute(Runnable task) {
    executor.execute(() -> run(task));
  }

  @Override
  public Timer schedule(Duration delay, Runnable task) {
    ScheduledFuture<?> scheduled =
        executor.schedule(() -> run(task), delay.toNanos(), TimeUnit.NANOSECONDS);
    return () -> scheduled.cancel(false);
  }

  @Override
  public void waitBeside(Runnable waiting) {
    daemon("session-waits-", () -> run(waiting)).start();
  }

  @Override
  public void await(CompletableFuture<?> answer) throws InterruptedException, ExecutionException {
    answer.get();
  }

  @SuppressWarnings("try") // The log is what asks it.
  private void run(Runnable task) {
    try (LoggedMigration logged =
        LoggedMigration.open(name.migrationName(), name.key().attempt())) {
      carryOut(task);
    }
  }

  private void carryOut(Runnable task) {
    try {
      task.run();
    } catch (Throwable fault) {
      // Also an Error: the executor would keep it to itself.
      LOG.errorf(
          fault,
          "a fault in the agent holds the session %s up; restart the agent, which goes on from the"
              + " journal",
          name.key());
    }
  }
}
