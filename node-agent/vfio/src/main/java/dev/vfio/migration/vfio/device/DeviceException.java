package dev.vfio.migration.vfio.device;

import dev.vfio.migration.text.ForeignText;
import java.io.IOException;

/**
 * A device did not do what was asked. The message is written for a person: device, what was tried,
 * errno, what was and was not done to the device, what to do next. It is one line of a bounded
 * length, whatever a driver, a server or a file name put into it.
 */
public class DeviceException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What kind of failure it is; callers decide by the kind, never by the message. */
  public enum Kind {
    /** There is no such device here. */
    UNKNOWN_DEVICE,
    /** The device has no migration interface that this product speaks. */
    NOT_MIGRATABLE,
    /** Another process holds it. */
    BUSY,
    /** The device, its driver or its server cannot be reached any more. */
    UNREACHABLE,
    /** The device refused a change of state. */
    TRANSITION_FAILED,
    /** The state that it was loaded with is lost: it was reset, or led by another holder. */
    STATE_LOST,
    /** Reading state or pending bytes failed. */
    READ_FAILED,
    /** Writing state failed. */
    WRITE_FAILED,
    /** The device answered what the interface forbids. */
    PROTOCOL_VIOLATION,
    /** The device says in STOPNCOPY that bytes are pending and hands out none. */
    NEVER_DRY;

    /** A failure of this kind without an errno. */
    public DeviceException exception(String message) {
      return new DeviceException(this, 0, message);
    }

    /**
     * A failure of this kind without an errno.
     *
     * @param format the message, as {@link String#format(String, Object...)} has it
     */
    public DeviceException exception(String format, Object... facts) {
      return exception(String.format(format, facts));
    }
  }

  private final Kind kind;
  private final int errno;

  public DeviceException(Kind kind, int errno, String message) {
    this(kind, errno, message, null);
  }

  public DeviceException(Kind kind, int errno, String message, Throwable cause) {
    super(ForeignText.message(message), cause);
    this.kind = kind;
    this.errno = errno;
  }

  public Kind kind() {
    return kind;
  }

  /** The errno of the failed access, 0 where no system call failed. */
  public int errno() {
    return errno;
  }
}
