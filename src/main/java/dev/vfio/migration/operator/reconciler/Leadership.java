package dev.vfio.migration.operator.reconciler;

import jakarta.inject.Singleton;

/**
 * Whether this replica leads. The controller's own state does not tell: its informers and event
 * sources run in every replica, and only its reconciling waits for the lease. Thread-safe.
 */
@Singleton
public final class Leadership {
  private volatile boolean begun;

  /** This replica has the lease. It keeps it until it ends. */
  public void begin() {
    begun = true;
  }

  /** True from then on. */
  public boolean hasBegun() {
    return begun;
  }
}
