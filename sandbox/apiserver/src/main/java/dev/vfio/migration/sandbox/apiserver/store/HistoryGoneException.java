package dev.vfio.migration.sandbox.apiserver.store;

/** The changes from the asked revision on are no longer all known. */
public final class HistoryGoneException extends Exception {
  private static final long serialVersionUID = 1L;

  HistoryGoneException(long asked, long oldest) {
    super("too old resource version: %d (%d)".formatted(asked, oldest));
  }
}
