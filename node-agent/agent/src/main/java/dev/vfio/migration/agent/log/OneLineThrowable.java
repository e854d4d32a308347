package dev.vfio.migration.agent.log;

import dev.vfio.migration.vfio.text.ForeignText;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Stands for an exception in the log: the same class name, stack trace, cause and suppressed
 * exceptions, and each message as one line.
 */
final class OneLineThrowable extends Throwable {
  private static final long serialVersionUID = 1L;

  private final String text;

  private OneLineThrowable(String text) {
    this.text = text;
  }

  static Throwable of(Throwable thrown) {
    return of(thrown, new IdentityHashMap<>());
  }

  /**
   * @param known what has been seen: exceptions may lead back to themselves
   */
  private static Throwable of(Throwable thrown, Map<Throwable, Throwable> known) {
    Throwable before = known.get(thrown);
    if (before != null || thrown instanceof OneLineThrowable) {
      return before == null ? thrown : before;
    }
    OneLineThrowable shown =
        new OneLineThrowable(
            ForeignText.line(String.valueOf(thrown), OneLineRecords.LONGEST_MESSAGE));
    known.put(thrown, shown);
    shown.setStackTrace(thrown.getStackTrace());
    if (thrown.getCause() != null) {
      shown.initCause(of(thrown.getCause(), known));
    }
    for (Throwable suppressed : thrown.getSuppressed()) {
      shown.addSuppressed(of(suppressed, known));
    }
    return shown;
  }

  @Override
  public Throwable fillInStackTrace() {
    return this;
  }

  @Override
  public String toString() {
    return text;
  }
}
