package dev.vfio.migration.sandbox.cluster.chaos;

import java.util.List;
import java.util.OptionalLong;

/**
 * How a round ended.
 *
 * @param phaseAtFault status.phase when the fault began
 * @param phaseAtEnd the last one
 * @param reason of the condition Succeeded at the end
 * @param handover Committed, RolledBack, Undecided, or empty
 * @param owner where device and workload run: source, destination, or none
 * @param lost the state went with a device that was killed and whose state nobody else had
 * @param pauseNanos how long after the fault a workload that was paused already stood still, until
 *     the destination ran
 * @param violations what must not be, in words
 */
record Outcome(
    String phaseAtFault,
    String phaseAtEnd,
    String reason,
    String handover,
    String owner,
    boolean lost,
    OptionalLong pauseNanos,
    List<String> violations) {
  Outcome {
    violations = List.copyOf(violations);
  }

  /** A round that came to no judgement: the cluster was not what it must be. */
  static Outcome notRun(Exception cause) {
    return new Outcome(
        
        "",
        "unknown",
        "",
        "",
        "unknown",
        false,
        OptionalLong.empty(),
        List.of("not run to its end: " + cause));
  }

  /** In the table: the phase at the end, and whether the state went with its device. */
  String word() {
    return phaseAtEnd
        + (phaseAtEnd.equals("ActionRequired") ? " " + reason : "")
        + (lost ? ", state lost" : "");
  }

  boolean waits() {
    return phaseAtEnd.equals("ActionRequired");
  }
}
