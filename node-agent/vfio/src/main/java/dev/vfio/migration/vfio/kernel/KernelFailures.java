package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;

/** What the errno of an access to an open device means. */
final class KernelFailures {

  private KernelFailures() {}

  /** The driver answered with an errno; later accesses may succeed. */
  static AccessException refused(ErrnoException failure) {
    return new AccessException(Reason.REFUSED, failure.errno(), failure.getMessage(), failure);
  }

  /** As {@link #refused}, except where the errno says that the device does not exist any more. */
  static AccessException ofDevice(ErrnoException failure) {
    boolean removed = failure.is(Errno.ENODEV) || failure.is(Errno.EBADF);
    return removed
        ? new AccessException(
            Reason.UNREACHABLE,
            failure.errno(),
            failure.getMessage() + ": this process does not have the device any more",
            failure)
        : refused(failure);
  }
}
