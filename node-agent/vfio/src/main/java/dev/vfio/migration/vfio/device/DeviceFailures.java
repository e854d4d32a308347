package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.linux.Errno;

/** Turns a failed access into what it means for the device, with words for people. */
public final class DeviceFailures {
  /**
   * What is to be known of a device that took in a part of its state. True before a reset and after
   * it: the sentence stays in a migration's status when its agent has long reset the device.
   */
  public static final String INCOMPLETE =
      "What it took in is incomplete: it must not run before it is reset.";

  private DeviceFailures() {}

  /**
   * The device was only looked at. Only what a driver answers that does not know the question means
   * that it cannot migrate; whatever else it refuses it may answer the next time.
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
   * STATE_LOST: the device held what it had taken in and is elsewhere now, so it must not count as
   * the one that was loaded.
   *
   * @param where in the words of its interface
   */
  public static DeviceException stateLost(String subject, String where) {
    return new DeviceException(
        Kind.STATE_LOST,
        0,
        subject
            + ": the device says that it is in "
            + where
            + ", though it was loaded and nobody here has led it further: it was reset, or led by"
            + " somebody else, and what it had taken in is lost. It was not asked to run.");
  }

  /**
   * TRANSITION_FAILED: a look found the device where nobody here led it.
   *
   * @param where in the words of its interface
   */
  public static DeviceException elsewhere(String subject, String where) {
    return new DeviceException(
        Kind.TRANSITION_FAILED,
        0,
        subject
            + ": the device says that it is in "
            + where
            + ", though nobody here has led it there: it was reset, led by somebody else, or did"
            + " not stay where it was led. It was not asked to change.");
  }

  /** Whether a driver says by this that it does not know what it was asked for. */
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
