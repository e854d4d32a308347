package dev.vfio.migration.operator.inventory;

/** Whether this replica leads now. Only the leader writes. */
@FunctionalInterface
public interface Leadership {
  boolean held();
}
