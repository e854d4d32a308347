package dev.vfio.migration.sandbox.cluster.rounds;

import java.util.List;
import java.util.OptionalLong;
import java.util.stream.Stream;

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
public record Outcome(
    String phaseAtFault,
    String phaseAtEnd,
    String reason,
    String handover,
    String owner,
    boolean lost,
    OptionalLong pauseNanos,
    List<String> violations) {
  public Outcome {
    violations = List.copyOf(violations);
  }

  /** A round that came to no judgement: the cluster, or a guest, was not what it must be. */
  public static Outcome notRun(Exception cause) {
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

  /** The same, with one more thing that must not be. */
  public Outcome with(String violation) {
    return new Outcome(
        phaseAtFault,
        phaseAtEnd,
        reason,
        handover,
        owner,
        lost,
        pauseNanos,
        Stream.concat(violations.stream(), Stream.of(violation)).toList());
  }

  /** In the table: the phase at the end, and whether the state went with its device. */
  public String word() {
    return phaseAtEnd
        + (phaseAtEnd.equals("ActionRequired") ? " " + reason : "")
        + (lost ? ", state lost" : "");
  }

  /** Whether it waits for a person. */
  public boolean waits() {
    return phaseAtEnd.equals("ActionRequired");
  }
}
