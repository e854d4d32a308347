package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.vfio.device.DeviceDescription;
import java.util.concurrent.CompletableFuture;

/** A session of this agent. Safe for use by several threads. */
public interface LiveSession {
  SessionKey key();

  Role role();

  /** The session as it is now. */
  SessionSnapshot snapshot();

  /** What the open device is, null where it is not open. */
  DeviceDescription device();

  /** Asks to roll back, for a failure or, where {@code cancelled}, for a user. */
  CompletableFuture<SessionSnapshot> rollBack(boolean cancelled, String reason);

  /** Goes on from the journal. */
  void recover();

  /** The agent is about to end: whatever may be undone is undone. */
  void stop();

  /** Whether nothing more happens by itself: it ended, or waits for somebody's word. */
  boolean settled();
}
