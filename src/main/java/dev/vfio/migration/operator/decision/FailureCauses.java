package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Failure;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.operator.status.ConditionReason;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** Why a side failed, and which of two failures is the cause and which its echo. */
final class FailureCauses {
  private FailureCauses() {}

  /** A reason, and the message about it for people. */
  record Cause(ConditionReason reason, String message) {}

  /**
   * The cause that the two sides report, if one of them failed. Where both did, the one that is not
   * merely the broken stream.
   */
  static Optional<Cause> of(Side source, Side destination) {
    List<Cause> causes =
        Stream.of(source, destination).flatMap(side -> ofOne(side).stream()).toList();
    return causes.stream()
        .filter(cause -> !AgentReasons.echo(cause.reason()))
        .findFirst()
        .or(() -> causes.stream().findFirst());
  }

  private static Optional<Cause> ofOne(Side side) {
    String where = where(side);
    Optional<Cause> reported =
        side.session()
            .filter(Session::hasFailure)
            .map(Session::getFailure)
            .map(
                failure ->
                    new Cause(
                        AgentReasons.conditionReason(failure.getReason()), where + text(failure)));
    return reported.or(() -> gaveUp(side, where)).or(() -> refused(side, where));
  }

  /** What stands before the words of that side's agent. */
  static String where(Side side) {
    return side.location() + " (" + side.name() + "): ";
  }

  private static String text(Failure failure) {
    return failure.getMessage().isBlank() ? failure.getReason().name() : failure.getMessage();
  }

  /** A session that has left the way forward without saying why. */
  private static Optional<Cause> gaveUp(Side side, String where) {
    return switch (side.state()) {
      case SOURCE_ROLLING_BACK,
          SOURCE_ROLLED_BACK,
          SOURCE_STRANDED,
          DESTINATION_DISCARDING,
          DESTINATION_DISCARDED,
          DESTINATION_STRANDED ->
          Optional.of(
              new Cause(
                  ConditionReason.AGENT_FAILED,
                  "%sthe agent gave the migration up, and it is %s; the agent's log says why."
                      .formatted(where, SessionDescriptions.of(side.state()))));
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION,
          SOURCE_COMPLETING,
          SOURCE_COMPLETED,
          DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
          DESTINATION_LOADED,
          DESTINATION_ACTIVATING,
          DESTINATION_ACTIVE,
          SESSION_STATE_UNSPECIFIED,
          UNRECOGNIZED ->
          Optional.empty();
    };
  }

  private static Optional<Cause> refused(Side side, String where) {
    return side.refusal()
        .filter(refusal -> refusal.lasting() || refusal.touchedNothing())
        .map(
            refusal ->
                new Cause(
                    AgentReasons.conditionReason(refusal.reason()), where + refusal.message()));
  }
}
