package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.contract.v1.Session;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The sessions that one agent has reported since it was connected, the newest report of each.
 * Thread-safe.
 */
final class SessionBook {
  private record Key(String migrationUid, int attempt, Role role) {}

  private final Map<Key, Session> sessions = new ConcurrentHashMap<>();

  /** Enters {@code session} unless a newer report is known; true when it was entered. */
  boolean enter(Session session) {
    Key key = new Key(session.getMigrationUid(), session.getAttempt(), session.getRole());
    Session kept = sessions.merge(key, session, SessionBook::newer);
    return kept == session;
  }

  /** Revisions only order the reports of one life of the agent. */
  private static Session newer(Session known, Session reported) {
    boolean sameLife = known.getInstanceId().equals(reported.getInstanceId());
    return sameLife && reported.getRevision() <= known.getRevision() ? known : reported;
  }

  Optional<Session> find(String migrationUid, int attempt, Role role) {
    return Optional.ofNullable(sessions.get(new Key(migrationUid, attempt, role)));
  }

  void forgetAll() {
    sessions.clear();
  }
}
