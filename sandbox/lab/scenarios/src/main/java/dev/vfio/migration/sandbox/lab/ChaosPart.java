package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Target;
import java.util.EnumSet;
import java.util.Set;

/**
 * A part of the lab that faults happen to. Devices are not among them: they are the kernel's, and
 * end with their guest.
 */
enum ChaosPart implements Target {
  /** Cut: its guest is on no network. */
  SOURCE_AGENT("source-agent", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT)),
  DESTINATION_AGENT("destination-agent", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT)),
  /** Cut: it reaches neither agent, and they reach each other. */
  OPERATOR("operator", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT)),
  /** The process that uses the device. */
  SOURCE_WORKLOAD("source-workload", EnumSet.of(Fault.KILL, Fault.STOP)),
  /** The process that is to use it. */
  WAITING_WORKLOAD("waiting-workload", EnumSet.of(Fault.KILL, Fault.STOP)),
  /** What the agents' state streams go over. */
  LINK("link", EnumSet.of(Fault.CUT)),
  /** Killed: as if its power were cut; it boots again, with nothing of what it had. */
  SOURCE_GUEST("source-guest", EnumSet.of(Fault.KILL, Fault.STOP)),
  DESTINATION_GUEST("destination-guest", EnumSet.of(Fault.KILL, Fault.STOP));

  private final String label;
  private final Set<Fault> faults;

  ChaosPart(String label, Set<Fault> faults) {
    this.label = label;
    this.faults = Set.copyOf(faults);
  }

  @Override
  public String label() {
    return label;
  }

  @Override
  public Set<Fault> faults() {
    return faults;
  }

  /** Whether it is a whole machine. */
  boolean isGuest() {
    return this == SOURCE_GUEST || this == DESTINATION_GUEST;
  }
}
