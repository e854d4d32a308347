package dev.vfio.migration.connections.log;

import dev.vfio.migration.text.ForeignText;
import java.util.IdentityHashMap;
import java.util.Map;

/**
 * Stands for an exception in the log: the same class name, stack trace, cause and suppressed
 * exceptions, and each message as one line.
 */
public final class OneLineThrowable extends Throwable {
  private static final long serialVersionUID = 1L;

  /** Bytes of UTF-8; long enough for whatever an own message may say. */
  public static final int MAX_MESSAGE = 16 << 10;

  private final String text;

  private OneLineThrowable(String text) {
    this.text = text;
  }

  /** What stands for {@code thrown}. */
  public static Throwable of(Throwable thrown) {
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
        new OneLineThrowable(ForeignText.line(String.valueOf(thrown), MAX_MESSAGE));
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
