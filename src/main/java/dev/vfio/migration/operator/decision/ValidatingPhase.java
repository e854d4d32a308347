package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import java.time.Duration;
import java.util.Optional;

/**
 * Validating: checks everything that can be checked before anything is touched. Gives Inspect to
 * both agents.
 *
 * <pre>
 * both devices fit                          Preparing
 * cancelled or deleted                      Cancelled
 * an objection, or an agent that was waited
 * for longer than timeouts.validating       Failed
 * </pre>
 */
final class ValidatingPhase implements PhaseDecision {
  /** An agent that is only just being connected to is not worth a condition. */
  private static final Duration CONNECTING = Duration.ofMillis(500);

  private final DecisionDraft draft;
  private final StatusDraft status;
  private final Untouched untouched;

  ValidatingPhase(DecisionDraft draft) {
    this.draft = draft;
    this.status = draft.status();
    this.untouched = new Untouched(draft);
  }

  @Override
  public Decision decide() {
    return untouched.ended().or(this::withoutAgent).or(this::withoutAnswer).orElseGet(this::admit);
  }

  private Optional<Decision> withoutAgent() {
    for (Side side : draft.sides()) {
      if (side.agent() instanceof Side.Absent) {
        return Optional.of(
            untouched.refused(
                ConditionReason.UNKNOWN_NODE,
                """
                No node agent runs on node %s (%s). Nothing was touched. Check the node's name \
                and that the agents' DaemonSet covers it.\
                """
                    .formatted(side.location().nodeName(), side.name())));
      }
    }
    for (Side side : draft.sides()) {
      if (!side.reachable()) {
        return Optional.of(await(side, side.unavailability()));
      }
    }
    return draft.destination().agent() instanceof Side.Reachable agent && !agent.verifiesLoaded()
        ? Optional.of(tooOld(agent))
        : Optional.empty();
  }

  private Decision tooOld(Side.Reachable agent) {
    return untouched.refused(
        ConditionReason.AGENT_TOO_OLD,
        """
        The agent on %s (destination, version %s) cannot be asked whether it still holds what it \
        loaded, and without that answer nothing is committed. Nothing was touched. Bring it to \
        the operator's version.\
        """
            .formatted(draft.destination().location().nodeName(), agent.version()));
  }

  private Optional<Decision> withoutAnswer() {
    for (Side side : draft.sides()) {
      if (side.refusal().isPresent()) {
        return Optional.of(await(side, side.refusal().get().message()));
      }
    }
    boolean asks = false;
    for (Side side : draft.sides()) {
      if (side.inspection().isEmpty()) {
        draft.command(new Command.Inspect(side.role()));
        asks = true;
      }
    }
    return asks ? Optional.of(draft.again(DecisionDraft.SOON)) : Optional.empty();
  }

  private Decision await(Side side, String cause) {
    Duration limit = draft.settings().timeouts().validating();
    Duration waited = status.timeIn(Phase.VALIDATING);
    if (waited.compareTo(limit) >= 0) {
      return untouched.refused(
          ConditionReason.AGENT_UNAVAILABLE,
          "Gave up after " + GoDuration.format(limit) + ": " + cause + ". Nothing was touched.");
    }
    if (waited.compareTo(CONNECTING) < 0) {
      return draft.again(CONNECTING.minus(waited));
    }
    status.condition(
        ConditionType.VALIDATED,
        Status.FALSE,
        ConditionReason.AGENT_UNAVAILABLE,
        "Waiting up to %s for node %s: %s."
            .formatted(GoDuration.format(limit), side.location().nodeName(), cause));
    Duration left = limit.minus(waited);
    return draft.again(left.compareTo(DecisionDraft.SOON) < 0 ? left : DecisionDraft.SOON);
  }

  private Decision admit() {
    return DeviceCheck.objection(draft.source(), draft.destination())
        .map(objection -> untouched.refused(objection.reason(), objection.message()))
        .orElseGet(this::begin);
  }

  private Decision begin() {
    Device source = DeviceCheck.device(draft.source());
    status
        .deviceStates(source.getState(), DeviceCheck.device(draft.destination()).getState())
        .migrationInterface(source.getInterface())
        .enter(Phase.PREPARING)
        // Recorded before the command is given: from now on it may reach the device.
        .touch(Role.DESTINATION)
        .condition(
            ConditionType.VALIDATED,
            Status.TRUE,
            ConditionReason.VALID,
            "Both devices exist, are free and fit each other (" + source.getModel() + ").")
        .condition(
            ConditionType.DESTINATION_READY,
            Status.FALSE,
            ConditionReason.STARTING,
            "The destination is being prepared.");
    return draft.again(Duration.ZERO);
  }
}
