package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * What a replica that does not lead may do, so that a workload need not stand still until the lease
 * of a leader that died is over. It is as safe as what the leader does:
 *
 * <pre>
 * it decides       by the leader's rules, in the same compare-and-set: one decision is recorded,
 *                  whoever is first. Only where both agents report to it: that it cannot reach
 *                  one says nothing of what the leader can.
 * it commands      only what begins nothing: the question whether the destination still holds
 *                  what it loaded, and what a recorded decision demands, which never changes.
 * under a number   that the leader recorded before its own commands. Where another leader has
 *                  commanded an agent since, that agent refuses.
 * </pre>
 *
 * Everything else (the pause, the source's release, progress, the ending) waits for a leader.
 */
final class StandbyDecision {
  /** In which a workload stands still, or may. */
  private static final Set<Phase> PAUSED =
      EnumSet.of(Phase.SWITCHING_OVER, Phase.COMMITTED, Phase.ROLLING_BACK);

  private StandbyDecision() {}

  /** The part of what the leader would do that a replica may that does not lead. */
  static Decision of(Observation seen, Decision whole) {
    DeviceMigrationStatus status = seen.status();
    boolean mayAct =
        status.phase() != null
            && PAUSED.contains(status.phase())
            && seen.fencingNumber().isPresent();
    boolean decides =
        status.handoverOrUndecided() == Handover.UNDECIDED
            && whole.status().handoverOrUndecided() != Handover.UNDECIDED;
    if (!mayAct || decides && !bothReport(seen)) {
      return new Decision(status, List.of(), Optional.empty(), false);
    }
    return new Decision(
        decides ? whole.status() : status,
        whole.commands().stream().filter(StandbyDecision::beginsNothing).toList(),
        whole.checkAgain(),
        false);
  }

  private static boolean bothReport(Observation seen) {
    return seen.source().reports() && seen.destination().reports();
  }

  private static boolean beginsNothing(Command command) {
    return command instanceof Command.VerifyLoaded
        || command instanceof Command.Activate
        || command instanceof Command.RollBack
        || command instanceof Command.Cancel;
  }
}
