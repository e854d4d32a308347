package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Convergence.Mode;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;

/**
 * Preparing: gives PrepareDestination, and once the destination listens, StartSource.
 *
 * <pre>
 * the source copies (Live)            PreCopy
 * the source is set up (Cold)         SwitchingOver; Manual: once spec.switchover is Automatic
 * anything that ends it, or a timeout RollingBack
 * </pre>
 */
final class PreparingPhase extends BegunPhase {

  PreparingPhase(DecisionDraft draft) {
    super(draft);
  }

  @Override
  Decision goOn() {
    boolean listening =
        destination.state() == SessionState.DESTINATION_LISTENING
            || destination.state() == SessionState.DESTINATION_RECEIVING;
    boolean sourceTouched = draft.ready().mayHaveBeenTouched(source);
    if (destination.session().isEmpty() && sourceTouched) {
      return withoutSession(destination).orElseGet(this::again);
    }
    if (destination.state() == SessionState.DESTINATION_RECEIVING
        && sourceTouched
        && source.session().isEmpty()
        && source.lost(draft.seen().claim())) {
      return withoutSession(source).orElseGet(this::again);
    }
    if (destination.session().isEmpty()) {
      command(new Command.PrepareDestination(), destination);
    } else if (listening && !sourceTouched) {
      recordStart();
    } else if (listening && source.session().isEmpty()) {
      start();
    }
    boolean ready =
        source.state() == SessionState.SOURCE_PRECOPY
            || source.state() == SessionState.SOURCE_READY;
    if (ready) {
      return draft.settings().mode() == Mode.LIVE ? beginCopying() : beginCold();
    }
    return orTimeOut(draft.settings().timeouts().preparing(), ConditionReason.PREPARING_TIMED_OUT);
  }

  /** Recorded before the command is given: from now on it may reach the source. */
  private void recordStart() {
    status
        .touch(Role.SOURCE)
        .condition(
            ConditionType.SOURCE_READY,
            Status.FALSE,
            ConditionReason.STARTING,
            "The source is being set up.");
    noLaterThan(Duration.ZERO);
  }

  private void start() {
    if (destination.state() == SessionState.DESTINATION_LISTENING) {
      command(new Command.StartSource(), source);
      return;
    }
    // The source was started and sends: its agent has not reported that yet, or has forgotten it.
    if (source.inspection().isEmpty()) {
      draft.command(new Command.Inspect(Role.SOURCE));
    }
    noLaterThan(DecisionDraft.SOON);
  }

  private Decision beginCopying() {
    status
        .condition(
            ConditionType.CONVERGED, Status.FALSE, ConditionReason.COPYING, "Copying has begun.")
        .enter(Phase.PRE_COPY);
    return again(Duration.ZERO);
  }

  private Decision beginCold() {
    if (draft.settings().manualSwitchover()) {
      status.condition(
          ConditionType.CONVERGED,
          Status.TRUE,
          ConditionReason.WAITING_FOR_SWITCHOVER,
          "Ready to pause the workload and copy; waits until spec.switchover is changed to"
              + " Automatic.");
      return again();
    }
    status
        .condition(
            ConditionType.CONVERGED,
            Status.TRUE,
            ConditionReason.COLD,
            "Cold: the workload is paused before anything is copied.")
        .enter(Phase.SWITCHING_OVER);
    // Recorded while the workload still runs: the write is not part of the downtime.
    return again(Duration.ZERO);
  }
}
