package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournals;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.vfio.device.DeviceDescription;
import java.util.concurrent.CompletableFuture;

/**
 * A session whose journal must not be trusted. Nothing is done to its device, and nothing is
 * guessed: it is shown as stranded until a person has looked.
 */
final class DamagedSession implements LiveSession {
  private final SessionJournals.Found found;
  private final SessionSnapshot snapshot;

  DamagedSession(SessionJournals.Found found) {
    this.found = found;
    String device = ActingJournals.device(found);
    String name = "";
    if (!found.records().isEmpty()) {
      SessionRecord first = found.records().get(0);
      if (first instanceof SessionRecord.SourceStarted started) {
        name = started.spec().migrationName();
      } else if (first instanceof SessionRecord.Prepared prepared) {
        name = prepared.spec().migrationName();
      }
    }
    this.snapshot =
        new SessionSnapshot(
            found.key(),
            name,
            found.role() == Role.SOURCE
                ? SessionState.SOURCE_STRANDED
                : SessionState.DESTINATION_STRANDED,
            device,
            null,
            Progress.NONE,
            Failure.of(
                Reason.JOURNAL_FAILED,
                "the journal of this session is damaged: %s. Nothing was done to the device %s."
                    + " Find out by the migration's status and the other node whether the handover"
                    + " was committed, bring the device there by hand, move the journal file away"
                    + " and restart the agent.",
                found.damage(),
                device),
            true,
            false);
  }

  /** Refuses whatever is asked. */
  <T> CompletableFuture<T> refuse() {
    return CompletableFuture.failedFuture(new Refusal(snapshot.failure()));
  }

  @Override
  public SessionKey key() {
    return found.key();
  }

  @Override
  public Role role() {
    return found.role();
  }

  @Override
  public SessionSnapshot snapshot() {
    return snapshot;
  }

  @Override
  public DeviceDescription device() {
    return null;
  }

  @Override
  public CompletableFuture<SessionSnapshot> rollBack(boolean cancelled, String reason) {
    return refuse();
  }

  @Override
  public void recover() {
    // A person does.
  }

  @Override
  public void stop() {
    // There is nothing to undo.
  }

  @Override
  public boolean settled() {
    return true;
  }
}
