package dev.vfio.migration.sandbox.apiserver.store;

/** A commit was refused because the object is not in the revision that the writer saw. */
public final class StaleRevisionException extends Exception {
  private static final long serialVersionUID = 1L;

  StaleRevisionException(ObjectKey key, long expected, long found) {
    super("%s: expected revision %d, found %d (0 is absent)".formatted(key, expected, found));
  }
}
