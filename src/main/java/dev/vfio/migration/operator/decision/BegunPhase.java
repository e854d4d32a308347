package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.util.Optional;

/**
 * What Preparing, PreCopy and SwitchingOver have in common: agents hold sessions, nothing is
 * decided, everything can go back to the source.
 *
 * <p>Each of these phases decides in this order: what ends the migration (deleted, cancelled, a
 * failed side, a refusal, an agent that was away for too long), then what the phase itself waits
 * for, then its timeout. Whatever ends it leads to RollingBack.
 */
abstract sealed class BegunPhase implements PhaseDecision
    permits PreparingPhase, PreCopyPhase, SwitchingOverPhase {
  final DecisionDraft draft;
  final StatusDraft status;
  final Side source;
  final Side destination;

  private Duration checkAgain = Duration.ofSeconds(10);
  private boolean waiting;

  BegunPhase(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
    this.source = draft.source();
    this.destination = draft.destination();
  }

  @Override
  public final Decision decide() {
    draft.recordReports();
    return withdrawn().or(this::failed).or(this::awaitAgents).orElseGet(this::goOn);
  }

  /** Both agents are within reach, and nothing has ended the migration. */
  abstract Decision goOn();

  /** The timeout of a phase that also counts while a side is away; empty while there is time. */
  Optional<Decision> timedOutWithoutBothSides() {
    return Optional.empty();
  }

  private Optional<Decision> withdrawn() {
    if (draft.seen().deletionRequested()) {
      return Optional.of(
          draft.rollBack(
              ConditionReason.CANCELLED_BY_DELETION,
              "The object was deleted before the handover: cancelled.",
              true));
    }
    return draft.settings().cancel()
        ? Optional.of(
            draft.rollBack(
                ConditionReason.CANCELLED_BY_USER,
                "spec.cancel was set before the handover.",
                true))
        : Optional.empty();
  }

  private Optional<Decision> failed() {
    return FailureCauses.of(source, destination)
        .map(cause -> draft.rollBack(cause.reason(), cause.message(), false));
  }

  private Optional<Decision> awaitAgents() {
    draft.ready().describe(source);
    draft.ready().describe(destination);
    return timedOutWithoutBothSides().or(() -> await(source)).or(() -> await(destination));
  }

  private Optional<Decision> await(Side side) {
    if (side.reachable()) {
      return Optional.empty();
    }
    Duration limit = draft.settings().timeouts().agentUnavailable();
    if (side.awayAt(draft.seen().steady()).compareTo(limit) >= 0) {
      return Optional.of(
          draft.rollBack(
              ConditionReason.AGENT_UNAVAILABLE,
              "Gave up after " + GoDuration.format(limit) + ": " + side.unavailability() + ".",
              false));
    }
    undecided(
        ConditionReason.AGENT_UNAVAILABLE,
        "Undecided; waiting up to %s: %s."
            .formatted(GoDuration.format(limit), side.unavailability()));
    waiting = true;
    return Optional.of(again(Duration.ofSeconds(1)));
  }

  /** Asks an agent that should have a session and reports none; goes back when it has none. */
  final Optional<Decision> withoutSession(Side side) {
    if (side.session().isPresent()) {
      return Optional.empty();
    }
    if (side.lost(draft.seen().claim())) {
      return Optional.of(
          draft.rollBack(
              ConditionReason.SESSION_LOST,
              "The agent on %s no longer knows this migration. Was its journal lost?"
                  .formatted(side.location().nodeName()),
              false));
    }
    if (side.inspection().isEmpty()) {
      draft.command(new Command.Inspect(side.role()));
    }
    return Optional.of(again(DecisionDraft.SOON));
  }

  /** Gives a command, again where it was refused before. */
  final void command(Command command, Side side) {
    draft.command(command);
    checkAgain = DecisionDraft.SOON;
    waiting = true;
    side.refusal()
        .ifPresent(
            refusal ->
                undecided(
                    ConditionReason.AGENT_UNAVAILABLE,
                    "Undecided; the agent on %s did not carry out a command, trying again: %s."
                        .formatted(side.location().nodeName(), refusal.message())));
  }

  /** Whether a command was given, or an agent is waited for. */
  final boolean isWaiting() {
    return waiting;
  }

  final void undecided(ConditionReason reason, String message) {
    status.condition(ConditionType.HANDED_OVER, Status.FALSE, reason, message);
  }

  final Decision again(Duration wait) {
    checkAgain = wait;
    return again();
  }

  /** Decides again no later than this. */
  final void noLaterThan(Duration wait) {
    checkAgain = wait.compareTo(checkAgain) < 0 ? wait : checkAgain;
  }

  final Decision again() {
    if (!waiting
        && status.reasonOf(ConditionType.HANDED_OVER) == ConditionReason.AGENT_UNAVAILABLE) {
      undecided(ConditionReason.UNDECIDED, "Everything can still go back to the source.");
    }
    return draft.again(checkAgain);
  }

  /** Decides again when {@code limit} is over, and goes back once it is. */
  final Decision orTimeOut(Duration limit, ConditionReason reason) {
    Duration left = limit.minus(status.timeIn(status.phase()));
    if (left.isNegative() || left.isZero()) {
      return draft.rollBack(
          reason,
          "%s took longer than %s (%s)."
              .formatted(status.phase().text(), GoDuration.format(limit), bothSides()),
          false);
    }
    noLaterThan(left);
    return again();
  }

  final String bothSides() {
    return "the source is %s, the destination is %s"
        .formatted(SessionDescriptions.of(source), SessionDescriptions.of(destination));
  }
}
