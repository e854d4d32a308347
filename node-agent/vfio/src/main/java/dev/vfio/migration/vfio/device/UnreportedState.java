package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.linux.Errno;

/**
 * Drivers that answer EINVAL when they are asked for the state of a device whose migration nobody
 * has switched on: it runs, which is the state that every interface has it begin in. A driver that
 * has said so once says later, too, by EINVAL that its device runs; one that says so only after it
 * took a change does not tell where its device is. For one thread.
 */
public final class UnreportedState {
  /** Whether the driver took a change since the device was opened or reset. */
  private boolean changed;

  private boolean meansRunning;

  /** The driver took a change. */
  public void changeTaken() {
    changed = true;
  }

  /** The device is as one that nobody changed yet. */
  public void wasReset() {
    changed = false;
  }

  /** Whether a question for the state that failed so says that the device runs. */
  public boolean saysRunning(AccessException failure) {
    boolean unreported = failure.refusedWith(Errno.EINVAL);
    meansRunning |= unreported && !changed;
    return unreported && meansRunning;
  }
}
