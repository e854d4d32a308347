package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.Errno;

/** Turns a failed access into what it means for the device, with words for people. */
public final class DeviceFailures {
  /**
   * About a device that took in a part of its state. The sentence is true before a reset and after
   * it, because it stays in a migration's status when the agent has long reset the device.
   */
  public static final String INCOMPLETE =
      "What it took in is incomplete: it must not run before it is reset.";

  /** About a device that was only asked. */
  public static final String UNTOUCHED = "The state of the device was not touched.";

  private DeviceFailures() {}

  /**
   * A question to a device that is being opened failed. Only the errno of a driver that does not
   * know the question means that the device cannot migrate; any other refusal may pass.
   */
  public static DeviceException whileOpening(String device, String what, AccessException failure) {
    Kind kind =
        switch (failure.reason()) {
          case REFUSED -> isUnknown(failure.errno()) ? Kind.NOT_MIGRATABLE : Kind.UNREACHABLE;
          case UNREACHABLE -> Kind.UNREACHABLE;
          case VIOLATION -> Kind.PROTOCOL_VIOLATION;
        };
    return new DeviceException(
        kind,
        failure.errno(),
        String.format(
            "device %s: asking for %s failed%s. Nothing was done to the device.",
            device, what, withErrno(failure)),
        failure);
  }

  /**
   * STATE_LOST: the device was loaded and is in another state now, so it must not count as loaded.
   *
   * @param where the position in the words of the device's interface
   */
  public static DeviceException stateLost(String subject, String where) {
    return Kind.STATE_LOST.exception(
        subject
            + ": the device says that it is in "
            + where
            + ", though it was loaded and nobody here has led it further: it was reset, or led by"
            + " somebody else, and what it had taken in is lost. It was not asked to run.");
  }

  /**
   * TRANSITION_FAILED: the device is in a state to which this agent did not lead it.
   *
   * @param where the position in the words of the device's interface
   */
  public static DeviceException elsewhere(String subject, String where) {
    return Kind.TRANSITION_FAILED.exception(
        subject
            + ": the device says that it is in "
            + where
            + ", though nobody here has led it there: it was reset, led by somebody else, or did"
            + " not stay where it was led. It was not asked to change.");
  }

  /** PROTOCOL_VIOLATION: the device reports a state without meaning. */
  static DeviceException undefinedState(
      String device, UndefinedStateException undefined, String done) {
    return new DeviceException(
        Kind.PROTOCOL_VIOLATION,
        0,
        "device " + device + " reports " + undefined.getMessage() + ". " + done,
        undefined);
  }

  /**
   * TRANSITION_FAILED: the driver answered a change with success, and the device is elsewhere.
   *
   * @param wanted and where: positions in the words of the device's interface
   * @param next what to do next; a sentence
   */
  public static DeviceException notReached(
      String subject, String wanted, String where, DeviceState target, String next) {
    return Kind.TRANSITION_FAILED.exception(
        "%s: its driver answered the change to %s with success, and the device says that it is"
            + " in %s, so it did not reach %s. %s",
        subject, wanted, where, target, next);
  }

  /** READ_FAILED: the question for the state failed and changed nothing. */
  public static DeviceException stateNotRead(String subject, AccessException failure) {
    return duringAction(subject, "asking for its state", Kind.READ_FAILED, failure, UNTOUCHED);
  }

  /** READ_FAILED: the question for pending bytes failed and changed nothing. */
  public static DeviceException pendingNotRead(String subject, AccessException failure) {
    return duringAction(
        subject,
        "asking for pending bytes",
        Kind.READ_FAILED,
        failure,
        "The state of the device was not touched; lead it back through FAILED.");
  }

  /** WRITE_FAILED: the device took only a part of its state. */
  public static DeviceException writingFailed(String subject, AccessException failure) {
    return duringAction(subject, "writing state", Kind.WRITE_FAILED, failure, INCOMPLETE);
  }

  /** TRANSITION_FAILED: the device was not reset. */
  public static DeviceException resetRefused(String subject, AccessException failure) {
    return duringAction(
        subject,
        "the reset",
        Kind.TRANSITION_FAILED,
        failure,
        "The device is as before; a person has to reset it.");
  }

  /** READ_FAILED: the device did not report all dirty pages, and the rest counts as dirty. */
  public static DeviceException dirtyPagesNotRead(String subject, AccessException failure) {
    return duringAction(
        subject,
        "asking for dirty pages",
        Kind.READ_FAILED,
        failure,
        "The device does not report which pages it wrote; the rest was reported dirty. Its state"
            + " was not touched: copy all its memory while it stands still.");
  }

  /** Whether a driver says by this errno that it does not know the question. */
  public static boolean isUnknown(int errno) {
    return errno == Errno.ENOTTY.number()
        || errno == Errno.EINVAL.number()
        || errno == Errno.EOPNOTSUPP.number()
        || errno == Errno.ENOSYS.number();
  }

  /**
   * An action of the interface failed.
   *
   * @param ifRefused what it is where the device answered with an errno
   * @param consequence what was and was not done to the device, and what to do next; a sentence
   */
  public static DeviceException duringAction(
      String subject, String what, Kind ifRefused, AccessException failure, String consequence) {
    return switch (failure.reason()) {
      case REFUSED ->
          new DeviceException(
              ifRefused,
              failure.errno(),
              subject + ": " + what + " failed" + withErrno(failure) + ". " + consequence,
              failure);
      case UNREACHABLE ->
          new DeviceException(
              Kind.UNREACHABLE,
              failure.errno(),
              String.format(
                  "%s: %s failed%s. Whether the device still did what was asked is not known; open"
                      + " it anew and ask for its state.",
                  subject, what, withErrno(failure)),
              failure);
      case VIOLATION ->
          new DeviceException(
              Kind.PROTOCOL_VIOLATION,
              failure.errno(),
              String.format(
                  "%s: %s failed: %s. The connection is of no more use; open the device anew and"
                      + " lead it out through FAILED.",
                  subject, what, failure.getMessage()),
              failure);
    };
  }

  private static String withErrno(AccessException failure) {
    return (failure.errno() == 0 ? "" : " with " + Errno.describe(failure.errno()))
        + " ("
        + failure.getMessage()
        + ")";
  }
}
