package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;

/** Hears of every change of every session, on the session's thread. Must not block or throw. */
public interface SessionWatcher {

  /**
   * The session is now as the snapshot says.
   *
   * @param before null where the session is new
   */
  void changed(SessionSnapshot before, SessionSnapshot now);

  /**
   * The machine of a session takes {@code event}. For whoever counts which events its steps have
   * met.
   *
   * @param state of the source or destination, before the event
   */
  default void takes(Object state, Object event) {
    // Most want to know only what comes of it.
  }

  /** The session ended long ago and is remembered no longer. */
  void removed(SessionKey key);

  /** A fault of ours: to be logged, the session goes on. */
  void fault(SessionKey key, String doing, RuntimeException fault);
}
