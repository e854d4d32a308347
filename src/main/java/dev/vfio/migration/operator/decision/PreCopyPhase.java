package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.ByteSize;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Convergence.OnStall;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.convergence.History;
import dev.vfio.migration.operator.convergence.Verdict;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import java.time.Duration;

/**
 * PreCopy: judges the copy while the workload runs. Gives no command.
 *
 * <pre>
 * converged                              SwitchingOver; Manual: once spec.switchover is Automatic
 * stalled or too long, onStall Switchover SwitchingOver
 * stalled or too long, onStall Cancel    RollingBack, cancelled
 * anything that ends it                  RollingBack
 * </pre>
 */
final class PreCopyPhase extends BegunPhase {

  PreCopyPhase(DecisionDraft draft) {
    super(draft);
  }

  @Override
  Decision goOn() {
    return withoutSession(source)
        .or(() -> withoutSession(destination))
        .orElseGet(
            () ->
                draft
                    .seen()
                    .history()
                    .filter(known -> source.state() == SessionState.SOURCE_PRECOPY)
                    .map(this::judge)
                    .orElseGet(this::again));
  }

  private Decision judge(History history) {
    Verdict verdict = draft.settings().rule().judge(history, timeWithoutConvergence());
    status.estimatedDowntime(verdict.estimatedDowntime());
    // Stalls and limits are a matter of time: decide again even if the agent reports nothing new.
    noLaterThan(Duration.ofSeconds(1));
    String figures = figures(history, verdict);
    if (wasReleasedByHand()) {
      converged(
          Status.TRUE,
          ConditionReason.RELEASED_BY_HAND,
          figures + " spec.switchover was changed to Automatic.");
      return switchOver();
    }
    return switch (verdict.outcome()) {
      case COPYING -> {
        converged(Status.FALSE, ConditionReason.COPYING, figures);
        yield again();
      }
      case WITHIN_DOWNTIME_LIMIT -> switchOver(ConditionReason.WITHIN_DOWNTIME_LIMIT, figures);
      case BELOW_THRESHOLD -> switchOver(ConditionReason.BELOW_THRESHOLD, figures);
      case STALLED ->
          stalled(
              ConditionReason.STALLED,
              "The workload changes its state as fast as it is copied",
              figures);
      case TOO_LONG ->
          stalled(
              ConditionReason.TOO_LONG,
              "Copying did not converge within "
                  + GoDuration.format(draft.settings().rule().maxDuration()),
              figures);
    };
  }

  /**
   * A user who changes spec.switchover from Manual to Automatic wants the switchover, whatever the
   * figures are at that moment. These reasons last only while it is Manual: otherwise the phase
   * changes with them.
   */
  private boolean wasReleasedByHand() {
    ConditionReason last = status.reasonOf(ConditionType.CONVERGED);
    boolean held =
        last == ConditionReason.WAITING_FOR_SWITCHOVER
            || last == ConditionReason.STALLED
            || last == ConditionReason.TOO_LONG;
    return held && !draft.settings().manualSwitchover();
  }

  private Decision switchOver(ConditionReason reason, String figures) {
    if (draft.settings().manualSwitchover()) {
      converged(
          Status.TRUE,
          ConditionReason.WAITING_FOR_SWITCHOVER,
          figures + " Waits until spec.switchover is changed to Automatic.");
      return again();
    }
    converged(Status.TRUE, reason, figures);
    return switchOver();
  }

  private Decision stalled(ConditionReason reason, String what, String figures) {
    String message = what + ". " + figures;
    if (draft.settings().manualSwitchover()) {
      // The person who decides when to switch over also decides when to give up.
      converged(
          Status.FALSE,
          reason,
          message + " Nothing follows from it while spec.switchover is Manual.");
      return again();
    }
    if (draft.settings().onStall() == OnStall.SWITCHOVER) {
      converged(
          Status.FALSE,
          reason,
          message + " Switching over anyway, because convergence.onStall is Switchover.");
      return switchOver();
    }
    converged(Status.FALSE, reason, message);
    return draft.rollBack(
        ConditionReason.DID_NOT_CONVERGE,
        what
            + "; Converged has the figures."
            + " Cancelled, because convergence.onStall is Cancel: allow a longer downtimeLimit, set"
            + " onStall to Switchover, or use mode Cold.",
        true);
  }

  private Decision switchOver() {
    status.switchoverStart(source.progress()).enter(Phase.SWITCHING_OVER);
    // Recorded while the workload still runs: the write is not part of the downtime.
    return again(Duration.ZERO);
  }

  private void converged(Status is, ConditionReason reason, String message) {
    status.condition(ConditionType.CONVERGED, is, reason, message);
  }

  private String figures(History history, Verdict verdict) {
    return ByteSize.format(history.latest().pendingBytes())
        + " pending at "
        + ByteSize.formatRate(history.bytesPerSecond())
        + ": estimated downtime "
        + verdict.estimatedDowntime().map(GoDuration::format).orElse("unknown")
        + ", limit "
        + GoDuration.format(draft.settings().rule().downtimeLimit())
        + "."
        + initialBytes(history.latest().initialBytes());
  }

  private static String initialBytes(long bytes) {
    return bytes == 0
        ? ""
        : " The device asks for %s of it to be read before it is stopped."
            .formatted(ByteSize.format(bytes));
  }

  /** Since copying began, or since it last was converged: a Manual switchover may come late. */
  private Duration timeWithoutConvergence() {
    Duration copying = status.timeIn(Phase.PRE_COPY);
    return status
        .timeSinceChange(ConditionType.CONVERGED)
        .filter(time -> time.compareTo(copying) < 0)
        .orElse(copying);
  }
}
