package dev.vfio.migration.connections.log;

import org.jboss.logging.MDC;

/**
 * While it is open, what this thread logs carries a migration's name and attempt, and what any
 * other thread logs does not: a thread that is made meanwhile, for a pool that serves everybody,
 * would otherwise inherit them and keep them for its life.
 *
 * <p>To be closed by the thread that opened it. What was carried before is carried again then.
 */
public final class LoggedMigration implements AutoCloseable {
  private static final String MIGRATION = "migration";
  private static final String ATTEMPT = "attempt";

  /** Not handed on to threads that are made. */
  private static final ThreadLocal<LoggedMigration> INNERMOST = new ThreadLocal<>();

  private final OfThread migration;
  private final OfThread attempt;
  private final LoggedMigration outer;

  /** Handed on to threads that are made, but empty in each but its own. */
  private record OfThread(long thread, String text) {
    @Override
    public String toString() {
      return Thread.currentThread().getId() == thread ? text : "";
    }
  }

  private LoggedMigration(String migration, int attempt, LoggedMigration outer) {
    long thread = Thread.currentThread().getId();
    this.migration = new OfThread(thread, migration);
    this.attempt = new OfThread(thread, String.valueOf(attempt));
    this.outer = outer;
  }

  /**
   * @param migration its namespace and name
   * @param attempt from 1
   */
  public static LoggedMigration open(String migration, int attempt) {
    LoggedMigration opened = new LoggedMigration(migration, attempt, INNERMOST.get());
    opened.carry();
    return opened;
  }

  private void carry() {
    INNERMOST.set(this);
    MDC.put(MIGRATION, migration);
    MDC.put(ATTEMPT, attempt);
  }

  @Override
  public void close() {
    if (outer == null) {
      INNERMOST.remove();
      MDC.remove(MIGRATION);
      MDC.remove(ATTEMPT);
    } else {
      outer.carry();
    }
  }
}
