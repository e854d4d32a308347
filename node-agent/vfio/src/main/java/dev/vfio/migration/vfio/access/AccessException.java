package dev.vfio.migration.vfio.access;

import dev.vfio.migration.vfio.linux.Errno;
import java.io.IOException;

/** An access to a device failed. Who accesses adds which device it was and what it means for it. */
public final class AccessException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What kind of trouble it is. */
  public enum Reason {
    /** The device, or whoever serves it, answered with an errno. Later accesses may succeed. */
    REFUSED,
    /** The device cannot be reached any more; every later access fails, too. */
    UNREACHABLE,
    /** Who serves the device broke the rules of the access; every later access fails, too. */
    VIOLATION
  }

  private final Reason reason;
  private final int errno;

  public AccessException(Reason reason, int errno, String message) {
    this(reason, errno, message, null);
  }

  public AccessException(Reason reason, int errno, String message, Throwable cause) {
    super(message, cause);
    this.reason = reason;
    this.errno = errno;
  }

  public Reason reason() {
    return reason;
  }

  /** The errno of the failed access; 0 where there was none. */
  public int errno() {
    return errno;
  }

  /** Whether the device, or whoever serves it, answered with this errno. */
  public boolean refusedWith(Errno answer) {
    return reason == Reason.REFUSED && errno == answer.number();
  }
}
