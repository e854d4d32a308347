package dev.vfio.migration.sandbox.cluster.rounds;

import java.util.Set;

/** Something that faults happen to. */
public interface Target extends Labels {
  /** What can happen to it. */
  Set<Fault> faults();
}
