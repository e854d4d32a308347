package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import dev.vfio.migration.contract.v1.SessionState;
import java.util.EnumSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The sessions that one agent has reported since it was connected, the newest report of each.
 * Thread-safe.
 */
final class SessionBook {
  private static final Set<SessionState> PAUSED =
      EnumSet.of(
          SessionState.SOURCE_STOPNCOPY,
          SessionState.SOURCE_AWAITING_DECISION,
          SessionState.SOURCE_ROLLING_BACK,
          SessionState.DESTINATION_LOADED,
          SessionState.DESTINATION_ACTIVATING);

  private record Key(String migrationUid, int attempt, Role role) {}

  private final Map<Key, Session> sessions = new ConcurrentHashMap<>();

  /**
   * Enters what the stream of sessions reports, unless something newer is known; true when it says
   * something that was not known. Among reports of one revision the stream's counts: what a command
   * answers with may have been put together a moment before its revision.
   */
  boolean enter(Session reported) {
    Session before = sessions.get(key(reported));
    Session kept =
        sessions.merge(
            key(reported), reported, (known, next) -> isBefore(next, known) ? known : next);
    return kept == reported && !reported.equals(before);
  }

  /** Enters what a command was answered with, if it is newer than everything known. */
  void enterAnswer(Session answered) {
    sessions.merge(key(answered), answered, (known, next) -> isBefore(known, next) ? next : known);
  }

  /** Whether the session is not known, or in another state than is known of it. */
  boolean hasAnotherState(Session reported) {
    Session known = sessions.get(key(reported));
    return known == null || known.getState() != reported.getState();
  }

  private static Key key(Session session) {
    return new Key(session.getMigrationUid(), session.getAttempt(), session.getRole());
  }

  /** Revisions only order the reports of one life of the agent. */
  private static boolean isBefore(Session one, Session other) {
    return one.getInstanceId().equals(other.getInstanceId())
        && one.getRevision() < other.getRevision();
  }

  Optional<Session> find(String migrationUid, int attempt, Role role) {
    return Optional.ofNullable(sessions.get(new Key(migrationUid, attempt, role)));
  }

  /** Whether a workload of one of these sessions stands still, or is about to run. */
  boolean anyPaused() {
    return sessions.values().stream().map(Session::getState).anyMatch(PAUSED::contains);
  }

  void forgetAll() {
    sessions.clear();
  }
}
