package dev.vfio.migration.operator.reconciler;

/** The number that lets agents refuse a leader that has been replaced: rises with each leader. */
public interface FencingNumber {
  /**
   * The number of this leader.
   *
   * @throws IllegalStateException while this replica does not hold the lease
   */
  long current();
}
