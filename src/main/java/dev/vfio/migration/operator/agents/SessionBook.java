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

  void forgetAll() {
    sessions.clear();
  }
}
