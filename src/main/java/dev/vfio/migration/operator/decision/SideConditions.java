package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import java.time.Duration;
import java.util.Optional;

/** The conditions SourceReady and DestinationReady: what each side's session says, in words. */
final class SideConditions {
  /** ESRCH. */
  private static final int NO_SUCH_PROCESS = 3;

  private final StatusDraft draft;

  SideConditions(StatusDraft draft) {
    this.draft = draft;
  }

  static ConditionType typeOf(Side side) {
    return side.role() == Role.SOURCE
        ? ConditionType.SOURCE_READY
        : ConditionType.DESTINATION_READY;
  }

  /** False only where it is certain that no command ever reached the side's device. */
  boolean mayHaveBeenTouched(Side side) {
    return side.session().isPresent() || draft.touched(side.role());
  }

  /** The first command was refused, and with it nothing was done to the device. */
  void refused(Side side, Side.Refusal refusal) {
    draft.settle(side.role());
    say(
        side,
        Status.FALSE,
        AgentReasons.conditionReason(refusal.reason()),
        side.location()
            + " was not touched: its agent refused the first command."
            + agentSays(side, refusal.message()));
  }

  void say(Side side, Status status, ConditionReason reason, String message) {
    draft.condition(typeOf(side), status, reason, message);
  }

  String message(Side side) {
    return draft.condition(typeOf(side)).map(Condition::message).orElse("");
  }

  /**
   * Says what the side's session says; leaves the condition alone where there is no session to
   * speak of.
   */
  void render(Side side) {
    if (!side.reachable() && mayHaveBeenTouched(side)) {
      say(side, Status.UNKNOWN, ConditionReason.AGENT_UNAVAILABLE, side.unavailability() + ".");
      return;
    }
    String device = side.location().toString();
    switch (side.state()) {
      case SOURCE_STARTING ->
          say(side, Status.FALSE, ConditionReason.STARTING, device + " is being set up.");
      case SOURCE_READY, SOURCE_PRECOPY ->
          say(
              side,
              Status.TRUE,
              ConditionReason.READY,
              device + " is set up and connected; its workload runs.");
      case SOURCE_STOPNCOPY ->
          say(
              side,
              Status.TRUE,
              ConditionReason.READY,
              device + " sends the rest; its workload is being paused, or is.");
      case SOURCE_AWAITING_DECISION ->
          say(
              side,
              Status.TRUE,
              ConditionReason.READY,
              device + " has sent everything and waits, paused, for the decision.");
      case SOURCE_COMPLETING ->
          say(side, Status.FALSE, ConditionReason.CLEANING_UP, device + " is being released.");
      case SOURCE_COMPLETED -> released(side);
      case SOURCE_ROLLING_BACK ->
          say(
              side,
              Status.FALSE,
              ConditionReason.ROLLING_BACK,
              device + " is being brought back to RUNNING.");
      case SOURCE_ROLLED_BACK -> rolledBack(side);
      case DESTINATION_LISTENING ->
          say(
              side,
              Status.TRUE,
              ConditionReason.READY,
              device + " is in RESUME and its agent listens.");
      case DESTINATION_RECEIVING ->
          say(side, Status.TRUE, ConditionReason.READY, device + " receives the state.");
      case DESTINATION_LOADED ->
          say(
              side,
              Status.TRUE,
              ConditionReason.LOADED,
              device
                  + " has taken in all that the source sent, by count and checksum, and says that"
                  + " it is loaded.");
      case DESTINATION_ACTIVATING ->
          say(
              side,
              Status.TRUE,
              ConditionReason.ACTIVATING,
              device + " is being brought to RUNNING.");
      case DESTINATION_ACTIVE ->
          say(
              side,
              Status.TRUE,
              ConditionReason.ACTIVE,
              device + " is RUNNING and its workload has it.");
      case DESTINATION_DISCARDING ->
          say(
              side,
              Status.FALSE,
              ConditionReason.ROLLING_BACK,
              device + " is being reset; the restored state is dropped.");
      case DESTINATION_DISCARDED ->
          say(
              side,
              Status.FALSE,
              resetFailed(side) ? ConditionReason.RESET_FAILED : ConditionReason.DISCARDED,
              device + discarded(side));
      case SOURCE_STRANDED ->
          say(
              side,
              Status.FALSE,
              ConditionReason.STRANDED,
              device + " could not be brought back to RUNNING." + agentSays(side));
      case DESTINATION_STRANDED ->
          say(
              side,
              Status.FALSE,
              ConditionReason.STRANDED,
              device + " holds what it received and is stranded." + agentSays(side));
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> {
        // Nothing is known that was not known before.
      }
    }
  }

  /** Its agent holds no session that could say anything. */
  void forgotten(Side side, DeviceState listed) {
    boolean told =
        listed != DeviceState.DEVICE_STATE_UNSPECIFIED && listed != DeviceState.UNRECOGNIZED;
    say(
        side,
        Status.UNKNOWN,
        ConditionReason.SESSION_LOST,
        "The agent on "
            + side.location().nodeName()
            + " holds no session of this migration and "
            + (told
                ? "lists " + side.location().device() + " as " + listed + "."
                : "does not tell the state of "
                    + side.location().device()
                    + "."
                    + draft.lastSeen(side.role())));
  }

  /** The source has let go of its device, which may still hold what the workload had in it. */
  void released(Side side) {
    say(
        side,
        Status.FALSE,
        resetFailed(side) ? ConditionReason.RESET_FAILED : ConditionReason.RELEASED,
        side.location()
            + (resetFailed(side)
                ? " is released and was not reset." + agentSays(side)
                : " is released."));
  }

  /** A person must reset the device before it is used again. */
  static boolean resetFailed(Side side) {
    return side.session().filter(Session::getResetFailed).isPresent();
  }

  /** The source is rolled back, and its workload has ended: somebody must start it anew. */
  static boolean workloadGone(Side side) {
    return side.state() == SessionState.SOURCE_ROLLED_BACK
        && side.session()
            .map(Session::getFailure)
            .filter(failure -> failure.getReason() == Reason.WORKLOAD_UNREACHABLE)
            .filter(failure -> failure.getErrno() == NO_SUCH_PROCESS)
            .isPresent();
  }

  /** An agent that could not reset the device says so in the failure. */
  private String discarded(Side side) {
    if (resetFailed(side)) {
      return " is released and was not reset." + agentSays(side);
    }
    Optional<Failure> failure = side.session().filter(Session::hasFailure).map(Session::getFailure);
    // Its agent's text may be of before the reset, and say what was to be done then.
    String where =
        side.session().map(Session::getDeviceState).filter(DeviceState.NONE::equals).isPresent()
            ? " is released, in NONE."
            : " is released.";
    boolean echo =
        failure
            .filter(known -> AgentReasons.echo(AgentReasons.conditionReason(known.getReason())))
            .isPresent();
    return failure.isEmpty()
        ? " is reset and released."
        : where + (echo ? " Succeeded says why." : agentSays(side));
  }

  /**
   * The source let go of its device: how its agent saw it last, and nothing that it did not see.
   */
  private void rolledBack(Side side) {
    String device = side.location().toString();
    Session session = side.session().orElseThrow();
    DeviceState state = session.getDeviceState();
    if (workloadGone(side)) {
      say(
          side,
          Status.FALSE,
          ConditionReason.WORKLOAD_UNREACHABLE,
          device + " has no workload any more." + agentSays(side));
    } else if (state == DeviceState.RUNNING) {
      long paused = session.getProgress().getDowntimeNanos();
      say(
          side,
          Status.FALSE,
          ConditionReason.ROLLED_BACK,
          device
              + (paused > 0
                  ? " is RUNNING and its workload goes on, after a pause of "
                      + GoDuration.format(Duration.ofNanos(paused))
                      + "."
                  : " is RUNNING; its workload was not paused."));
    } else if (DeviceStates.leftOver(state)) {
      say(
          side,
          Status.FALSE,
          ConditionReason.DEVICE_NOT_RESET,
          device
              + " is in "
              + state
              + " and does not run. See who needs what is in it before it is reset.");
    } else if (state == DeviceState.NONE) {
      say(
          side,
          Status.FALSE,
          ConditionReason.ROLLED_BACK,
          device + " is in NONE: nobody has told it to run. Its workload was not paused.");
    } else {
      say(
          side,
          Status.UNKNOWN,
          ConditionReason.ROLLED_BACK,
          device
              + " is let go of, and its agent did not see in which state."
              + draft.lastSeen(side.role()));
    }
  }

  /** Its agent's words, unless they are told already; then where. */
  private String agentSays(Side side) {
    return agentSays(side, failureText(side));
  }

  private String agentSays(Side side, String words) {
    String own = draft.notToldYet(words, Causes.where(side));
    return own.isEmpty() ? " Succeeded says why." : " Its agent says: " + own;
  }

  /** What the side's agent says went wrong. */
  static String failureText(Side side) {
    return side.session()
        .filter(Session::hasFailure)
        .map(Session::getFailure)
        .map(Failure::getMessage)
        .filter(message -> !message.isBlank())
        .orElse(
            "the agent on " + side.location().nodeName() + " gives no reason; its log says more.");
  }
}
