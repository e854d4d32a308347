package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.linux.Errno;

/**
 * Recognises drivers that answer EINVAL to the question for the state of a device that nobody has
 * begun to migrate. Such a device runs, because every interface begins in its running state. After
 * one such answer a later EINVAL of the same driver means "running" as well. A driver whose first
 * EINVAL follows a change does not report the state of its device. For one thread.
 */
public final class UnreportedState {
  /** Whether the driver took a change since the device was opened or reset. */
  private boolean changed;

  private boolean meansRunning;

  /** The driver took a change. */
  public void changeTaken() {
    changed = true;
  }

  /** The device was reset, so it is as one that nobody has changed. */
  public void wasReset() {
    changed = false;
  }

  /** Whether this failed question for the state means that the device runs. */
  public boolean saysRunning(AccessException failure) {
    boolean unreported = failure.refusedWith(Errno.EINVAL);
    meansRunning |= unreported && !changed;
    return unreported && meansRunning;
  }
}
