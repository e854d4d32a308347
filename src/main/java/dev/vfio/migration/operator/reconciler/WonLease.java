package dev.vfio.migration.operator.reconciler;

import dev.vfio.migration.operator.inventory.Leadership;
import jakarta.inject.Singleton;

/**
 * Whether this replica leads, as the election told it; asking costs no call. The controller's own
 * state does not tell: its informers and event sources run in every replica, and only its
 * reconciling waits for the lease. Thread-safe.
 */
@Singleton
public final class WonLease implements Leadership {
  private volatile boolean won;

  /** The election was won. A replica that loses its lease ends. */
  public void won() {
    won = true;
  }

  @Override
  public boolean held() {
    return won;
  }
}
