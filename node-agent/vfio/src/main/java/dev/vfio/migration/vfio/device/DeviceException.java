package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.text.ForeignText;
import java.io.IOException;

/**
 * A device did not do what was asked. The message is written for a person: device, what was tried,
 * errno, what was and was not done to the device, what to do next. It is one line of a bounded
 * length, whatever a driver, a server or a file name put into it.
 */
public class DeviceException extends IOException {
  private static final long serialVersionUID = 1L;

  /** What kind of trouble it is; callers decide on this, never on the message. */
  public enum Kind {
    /** There is no such device here. */
    UNKNOWN_DEVICE,
    /** The device has no migration interface that this product speaks. */
    NOT_MIGRATABLE,
    /** Somebody else holds it. */
    BUSY,
    /** The device, its driver or its server cannot be reached any more. */
    UNREACHABLE,
    /** The device refused a change of state. */
    TRANSITION_FAILED,
    /**
     * What it had taken in is gone: it was reset, or led by somebody else, before it was to run.
     */
    STATE_LOST,
    /** Reading state or pending bytes failed. */
    READ_FAILED,
    /** Writing state failed. */
    WRITE_FAILED,
    /** The device answered what the interface forbids. */
    PROTOCOL_VIOLATION,
    /** In STOPNCOPY it says that bytes are pending and hands out none. */
    NEVER_DRY
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
