package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.DeviceState;
import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Reason;
import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import dev.vfio.migration.operator.status.StatusDraft;
import dev.vfio.migration.text.ForeignText;
import java.time.Duration;
import java.util.Optional;

/** Writes the conditions SourceReady and DestinationReady: what each side's session reports. */
final class ReadyConditions {
  /** ESRCH. */
  private static final int NO_SUCH_PROCESS = 3;

  /** What an agent puts before the reason that came with RollBack. */
  private static final String REPEATS = "^(the operator rolled back: [A-Za-z]*:)?[.\\s]*";

  private final StatusDraft status;

  ReadyConditions(StatusDraft status) {
    this.status = status;
  }

  static ConditionType typeOf(Side side) {
    return side.role() == Role.SOURCE
        ? ConditionType.SOURCE_READY
        : ConditionType.DESTINATION_READY;
  }

  /** False only where it is certain that no command ever reached the side's device. */
  boolean mayHaveBeenTouched(Side side) {
    return side.session().isPresent() || status.touched(side.role());
  }

  /** The first command was refused, and with it nothing was done to the device. */
  void refused(Side side, Side.Refusal refusal) {
    status.settle(side.role());
    say(
        side,
        Status.FALSE,
        AgentReasons.conditionReason(refusal.reason()),
        "%s was not touched: its agent refused the first command.%s"
            .formatted(side.location(), agentSays(side, refusal.message())));
  }

  void say(Side side, Status is, ConditionReason reason, String message) {
    status.condition(typeOf(side), is, reason, message);
  }

  /** What a condition is to say. */
  private record Statement(Status status, ConditionReason reason, String message) {}

  private static Optional<Statement> yes(ConditionReason reason, String message) {
    return Optional.of(new Statement(Status.TRUE, reason, message));
  }

  private static Optional<Statement> no(ConditionReason reason, String message) {
    return Optional.of(new Statement(Status.FALSE, reason, message));
  }

  /**
   * Writes what the side's session reports; leaves the condition alone where there is no session,
   * or one in a state that this operator does not know.
   */
  void describe(Side side) {
    if (!side.reachable() && mayHaveBeenTouched(side)) {
      say(side, Status.UNKNOWN, ConditionReason.AGENT_UNAVAILABLE, side.unavailability() + ".");
      return;
    }
    statement(side, side.location().toString())
        .ifPresent(said -> say(side, said.status(), said.reason(), said.message()));
  }

  private Optional<Statement> statement(Side side, String device) {
    return switch (side.state()) {
      case SOURCE_STARTING -> no(ConditionReason.STARTING, device + " is being set up.");
      case SOURCE_READY, SOURCE_PRECOPY ->
          yes(ConditionReason.READY, device + " is set up and connected; its workload runs.");
      case SOURCE_STOPNCOPY ->
          yes(
              ConditionReason.READY,
              device + " sends the rest; its workload is paused or being paused.");
      case SOURCE_AWAITING_DECISION ->
          yes(
              ConditionReason.READY,
              device + " has sent everything and waits, paused, for the decision.");
      case SOURCE_COMPLETING -> no(ConditionReason.CLEANING_UP, device + " is being released.");
      case SOURCE_COMPLETED -> releasedStatement(side);
      case SOURCE_ROLLING_BACK ->
          no(ConditionReason.ROLLING_BACK, device + " is being brought back to RUNNING.");
      case SOURCE_ROLLED_BACK -> Optional.of(rolledBack(side, device));
      case SOURCE_STRANDED ->
          no(
              ConditionReason.STRANDED,
              device + " could not be brought back to RUNNING." + agentSays(side));
      case DESTINATION_LISTENING ->
          yes(ConditionReason.READY, device + " is in RESUME and its agent listens.");
      case DESTINATION_RECEIVING -> yes(ConditionReason.READY, device + " receives the state.");
      case DESTINATION_LOADED ->
          yes(
              ConditionReason.LOADED,
              device
                  + " has taken in all that the source sent, by count and checksum, and says that"
                  + " it is loaded.");
      case DESTINATION_ACTIVATING ->
          yes(ConditionReason.ACTIVATING, device + " is being brought to RUNNING.");
      case DESTINATION_ACTIVE ->
          yes(ConditionReason.ACTIVE, device + " is RUNNING and its workload has it.");
      case DESTINATION_DISCARDING ->
          no(
              ConditionReason.ROLLING_BACK,
              device + " is being reset; the restored state is dropped.");
      case DESTINATION_DISCARDED ->
          no(
              resetFailed(side) ? ConditionReason.RESET_FAILED : ConditionReason.DISCARDED,
              device + discarded(side));
      case DESTINATION_STRANDED ->
          no(
              ConditionReason.STRANDED,
              device
                  + (lostItsState(side)
                      ? " lost what it received and is stranded."
                      : " holds what it received and is stranded.")
                  + agentSays(side));
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> Optional.empty();
    };
  }

  /** Its device was reset after it was loaded, or its server started anew. */
  static boolean lostItsState(Side side) {
    return side.session()
        .filter(session -> session.getFailure().getReason() == Reason.NOT_LOADED)
        .isPresent();
  }

  /** Its agent holds no session of this migration; {@code listed} is all that it reports. */
  void forgotten(Side side, DeviceState listed) {
    boolean reported =
        listed != DeviceState.DEVICE_STATE_UNSPECIFIED && listed != DeviceState.UNRECOGNIZED;
    say(
        side,
        Status.UNKNOWN,
        ConditionReason.SESSION_LOST,
        "The agent on "
            + side.location().nodeName()
            + " holds no session of this migration and "
            + (reported
                ? "lists " + side.location().device() + " as " + listed + "."
                : "does not report the state of %s.%s"
                    .formatted(side.location().device(), status.lastSeen(side.role()))));
  }

  /** The source has released its device, which may still hold what the workload had in it. */
  void released(Side side) {
    releasedStatement(side)
        .ifPresent(said -> say(side, said.status(), said.reason(), said.message()));
  }

  private Optional<Statement> releasedStatement(Side side) {
    return resetFailed(side)
        ? no(
            ConditionReason.RESET_FAILED,
            side.location() + " is released and was not reset." + agentSays(side))
        : no(ConditionReason.RELEASED, side.location() + " is released.");
  }

  /** A person must reset the device before it is used again. */
  static boolean resetFailed(Side side) {
    return side.session().filter(Session::getResetFailed).isPresent();
  }

  /** The source is rolled back, and its workload has ended: a person must start it anew. */
  static boolean workloadEnded(Side side) {
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

  /** How the source's agent saw its device last, and nothing that it did not see. */
  private Statement rolledBack(Side side, String device) {
    DeviceState state = side.session().orElseThrow().getDeviceState();
    if (workloadEnded(side)) {
      return new Statement(
          Status.FALSE,
          ConditionReason.WORKLOAD_UNREACHABLE,
          device + " has no workload any more." + agentSays(side));
    }
    if (state == DeviceState.RUNNING) {
      long paused = side.progress().getDowntimeNanos();
      return new Statement(
          Status.FALSE,
          ConditionReason.ROLLED_BACK,
          device
              + (paused > 0
                  ? " is RUNNING and its workload goes on, after a pause of %s."
                      .formatted(GoDuration.format(Duration.ofNanos(paused)))
                  : " is RUNNING; its workload was not paused."));
    }
    if (DeviceStates.leftOver(state)) {
      return new Statement(
          Status.FALSE,
          ConditionReason.DEVICE_NOT_RESET,
          "%s is in %s and does not run. See who needs what is in it before it is reset."
              .formatted(device, state));
    }
    return state == DeviceState.NONE
        ? new Statement(
            Status.FALSE,
            ConditionReason.ROLLED_BACK,
            device + " is in NONE: nobody has set it to RUNNING. Its workload was not paused.")
        : new Statement(
            Status.UNKNOWN,
            ConditionReason.ROLLED_BACK,
            "%s is released, and its agent did not see in which state.%s"
                .formatted(device, status.lastSeen(side.role())));
  }

  /** What the side's agent says, unless another condition says it already; then which one. */
  private String agentSays(Side side) {
    return agentSays(side, failureText(side));
  }

  private String agentSays(Side side, String words) {
    String own = notSaidYet(words, FailureCauses.where(side));
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

  /**
   * What of an agent's words neither the condition Succeeded nor the reason for the rollback says
   * already; empty where they say all of it.
   *
   * @param where what stands before the words of that agent where they are the cause
   */
  private String notSaidYet(String agentsWords, String where) {
    String words = ForeignText.inStatus(agentsWords);
    String cause = status.rollback().map(Rollback::message).orElse("");
    if (status.messageOf(ConditionType.SUCCEEDED).contains(words) || cause.contains(words)) {
      return "";
    }
    if (cause.isEmpty()) {
      return words;
    }
    // An agent that got RollBack repeats its reason; one that failed afterwards adds to it.
    String bare = cause.startsWith(where) ? cause.substring(where.length()) : cause;
    return words.replace(cause, "").replace(bare, "").strip().replaceFirst(REPEATS, "").strip();
  }
}
