package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;

/** What an agent's session does, in words for people: the states are the machine's own names. */
final class SessionDescriptions {
  private SessionDescriptions() {}

  /** Fits behind "the source is" or "the destination is". */
  static String of(SessionState state) {
    return switch (state) {
      case SOURCE_STARTING -> "being set up";
      case SOURCE_READY -> "set up, with its workload running";
      case SOURCE_PRECOPY -> "copying while its workload runs";
      case SOURCE_STOPNCOPY -> "pausing its workload and sending the rest";
      case SOURCE_AWAITING_DECISION -> "waiting, paused, for the decision";
      case SOURCE_COMPLETING -> "releasing its device";
      case SOURCE_COMPLETED -> "done, and has released its device";
      case SOURCE_ROLLING_BACK -> "being rolled back";
      case SOURCE_ROLLED_BACK -> "rolled back";
      case SOURCE_STRANDED -> "stranded on its way back";
      case DESTINATION_LISTENING -> "ready to receive";
      case DESTINATION_RECEIVING -> "receiving";
      case DESTINATION_LOADED -> "holding all that was sent";
      case DESTINATION_ACTIVATING -> "being brought to RUNNING";
      case DESTINATION_ACTIVE -> "running";
      case DESTINATION_DISCARDING -> "dropping what it received";
      case DESTINATION_DISCARDED -> "done, and has dropped what it received";
      case DESTINATION_STRANDED -> "stranded with what it received";
      case SESSION_STATE_UNSPECIFIED, UNRECOGNIZED -> "in a state that this operator does not know";
    };
  }

  /** With the name that stands in the agent's log, for a person who reads both. */
  static String withName(SessionState state) {
    return of(state) + " (" + state.name() + ")";
  }

  /** What the side does; a side without a session does nothing. */
  static String of(Side side) {
    return side.session()
        .map(Session::getState)
        .map(SessionDescriptions::of)
        .orElse("without a session");
  }
}
