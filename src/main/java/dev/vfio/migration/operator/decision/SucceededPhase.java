package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * Succeeded: the destination runs. What is left is that the source releases its device, which may
 * take as long as it likes. Gives Commit to the source until that is done, and Delete once the time
 * to live is over. Leads nowhere else; only a source that reports that it runs leads to
 * ActionRequired ({@link CommittedContradiction}).
 */
final class SucceededPhase implements PhaseDecision {
  /** Reasons of SourceReady with which a migration that succeeded may end. */
  private static final Set<ConditionReason> FINAL_REASONS =
      EnumSet.of(
          ConditionReason.RELEASED, ConditionReason.RESET_FAILED, ConditionReason.SESSION_LOST);

  private final DecisionDraft draft;
  private final StatusDraft status;
  private final ReadyConditions ready;
  private final Side source;
  private final Side destination;

  SucceededPhase(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
    this.ready = draft.ready();
    this.source = draft.source();
    this.destination = draft.destination();
  }

  @Override
  public Decision decide() {
    status.enter(Phase.SUCCEEDED);
    String where = destination.location().toString();
    if (source.state() == SessionState.SOURCE_COMPLETED) {
      ready.released(source);
      return completed(where);
    }
    if (releasedBefore()) {
      // What was said then holds, whatever its agent still remembers of it.
      if (!FINAL_REASONS.contains(status.reasonOf(ConditionType.SOURCE_READY))) {
        ready.say(
            source, Status.FALSE, ConditionReason.RELEASED, source.location() + " is released.");
      }
      if (source.reachable() && source.session().isPresent()) {
        // Its journal forgot the decision since: it waits for it once more.
        draft.command(new Command.Commit());
      }
      return draft.finished();
    }
    if (source.lost(draft.seen().claim())) {
      lostSource();
      return completed(where);
    }
    return release(where);
  }

  private Decision release(String where) {
    String lag =
        source.reachable()
            ? source
                .refusal()
                .map(refusal -> " The source was asked to: " + refusal.message())
                .orElse("")
            : " Its agent is waited for: " + source.unavailability() + ".";
    ready.say(
        source,
        source.reachable() ? Status.FALSE : Status.UNKNOWN,
        ConditionReason.CLEANING_UP,
        source.location() + " stopped before the handover and is still to be released." + lag);
    status.condition(
        ConditionType.SUCCEEDED,
        Status.TRUE,
        ConditionReason.CLEANING_UP,
        "The workload runs with " + where + "; the source is still to be released.");
    if (source.reachable()) {
      boolean unknown = source.session().isEmpty() && source.inspection().isEmpty();
      draft.command(unknown ? new Command.Inspect(source.role()) : new Command.Commit());
    }
    return draft.again(DecisionDraft.SOON);
  }

  private Decision completed(String where) {
    status.condition(
        ConditionType.SUCCEEDED,
        Status.TRUE,
        ConditionReason.COMPLETED,
        "The workload runs with "
            + where
            + "."
            + (ReadyConditions.resetFailed(source)
                ? " To be done: reset %s before it is used again. SourceReady says why and how."
                    .formatted(source.location())
                : ""));
    return draft.finished();
  }

  /** The source's session is lost: what its agent lists now is all that is known of its device. */
  private void lostSource() {
    Optional<Device> listed = source.inspection().flatMap(Side.Inspection::device);
    DeviceState state = source.listedState();
    boolean free =
        listed.filter(device -> !device.getBusy()).isPresent()
            && (state == DeviceState.NONE || state == DeviceState.RUNNING);
    status.deviceStates(state, DeviceState.DEVICE_STATE_UNSPECIFIED);
    if (free) {
      ready.say(
          source,
          Status.FALSE,
          ConditionReason.RELEASED,
          "The agent on %s holds no session of this migration and lists %s as free, in %s."
              .formatted(source.location().nodeName(), source.location().device(), state));
    } else {
      ready.forgotten(source, state);
      ready.say(
          source,
          Status.UNKNOWN,
          ConditionReason.SESSION_LOST,
          status.messageOf(ConditionType.SOURCE_READY)
              + " Check that it is free there, and reset it before it is used again: whether"
              + " that was done is not known.");
    }
  }

  private boolean releasedBefore() {
    return status.reasonOf(ConditionType.SUCCEEDED) == ConditionReason.COMPLETED;
  }
}
