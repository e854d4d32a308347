package dev.vfio.migration.sandbox.cluster.options;

/** An option that cannot be understood; the message is one sentence for the user. */
public final class WrongOptionException extends Exception {
  private static final long serialVersionUID = 1L;

  public WrongOptionException(String message) {
    super(message);
  }
}
