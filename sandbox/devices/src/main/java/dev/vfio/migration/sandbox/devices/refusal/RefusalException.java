package dev.vfio.migration.sandbox.devices.refusal;

/**
 * The device, or its workload, says no. The errno goes to the client; the message goes to the log
 * and to people.
 */
public final class RefusalException extends Exception {
  private static final long serialVersionUID = 1L;

  private final int errno;

  public RefusalException(int errno, String message) {
    super(message);
    this.errno = errno;
  }

  /** A Linux error number, above 0. */
  public int errno() {
    return errno;
  }
}
