package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.SessionSnapshot;

/**
 * Reports what becomes of a session to its watcher: each change once, in order. Owned by the
 * session's thread; only {@link #snapshot()} is for any thread.
 */
final class SessionReports {
  private final SessionWatcher watcher;
  private volatile SessionSnapshot snapshot;
  private boolean announced;

  SessionReports(SessionWatcher watcher, SessionSnapshot initial) {
    this.watcher = watcher;
    this.snapshot = initial;
  }

  SessionSnapshot snapshot() {
    return snapshot;
  }

  /** Whether the watcher knows of the session. */
  boolean announced() {
    return announced;
  }

  /** The session's machine takes an event. */
  void takes(Object state, Object event) {
    watcher.takes(state, event);
  }

  /**
   * The session is as {@code now} says.
   *
   * @param hidden whether the watcher is not to know of it yet
   */
  void entered(SessionSnapshot now, boolean hidden) {
    SessionSnapshot before = snapshot;
    snapshot = now;
    if (!hidden && !(announced && now.equals(before))) {
      watcher.changed(announced ? before : null, now);
      announced = true;
    }
  }

  /** A fault of the agent at an action; the session goes on. */
  void fault(String action, Throwable fault) {
    watcher.fault(snapshot.key(), action, MachineLoop.reportable(fault));
  }

  /** A fault of the agent: the session did not take an event, and is as before. */
  void stuck(Throwable fault) {
    fault("taking an event", fault);
    if (!snapshot.state().terminal()) {
      entered(snapshot.failed(MachineLoop.failure(snapshot.key(), fault)), false);
    }
  }
}
