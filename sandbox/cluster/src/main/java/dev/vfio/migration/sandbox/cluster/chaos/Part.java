package dev.vfio.migration.sandbox.cluster.chaos;

import dev.vfio.migration.sandbox.cluster.rounds.Fault;
import dev.vfio.migration.sandbox.cluster.rounds.Target;
import java.util.EnumSet;
import java.util.Set;

/**
 * A part of the cluster that faults happen to, in the order in which they are mended: what others
 * need comes first.
 *
 * <p>A workload of the sandbox has no process of its own: it is a thread of its device's. Killed,
 * it is away for a moment and comes back as it was; stopped, it does not answer.
 */
enum Part implements Target {
  API_SERVER("api-server", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT, Fault.SLOW)),
  SOURCE_AGENT("source-agent", EnumSet.allOf(Fault.class)),
  DESTINATION_AGENT("destination-agent", EnumSet.allOf(Fault.class)),
  OPERATOR("operator", EnumSet.allOf(Fault.class)),
  SOURCE_DEVICE("source-device", EnumSet.allOf(Fault.class)),
  DESTINATION_DEVICE(
      "destination-device", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT, Fault.SLOW)),
  SOURCE_WORKLOAD("source-workload", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT)),
  WAITING_WORKLOAD("waiting-workload", EnumSet.of(Fault.KILL, Fault.STOP, Fault.CUT));

  private final String label;
  private final Set<Fault> faults;

  Part(String label, Set<Fault> faults) {
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
}
