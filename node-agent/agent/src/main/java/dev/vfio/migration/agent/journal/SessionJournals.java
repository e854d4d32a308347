package dev.vfio.migration.agent.journal;

import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.util.List;

/** The journals of all sessions of this agent. Safe for use by several threads. */
public interface SessionJournals {

  /**
   * What was found of one session.
   *
   * @param key of the session
   * @param role which end it is
   * @param records in order, as far as they could be read; at least one where there is a {@code
   *     journal}, and {@link SessionRecord.EntriesLost} where some could not
   * @param damage null, or what is wrong with the journal
   * @param journal to go on with; null where it says too little to go on with anything
   */
  record Found(
      SessionKey key,
      Role role,
      List<SessionRecord> records,
      String damage,
      SessionJournal journal) {
    public Found {
      records = List.copyOf(records);
    }
  }

  /** The journal of a new session. Touches the disk at the first record only. */
  SessionJournal create(SessionKey key, Role role);

  /** Reads what earlier runs of the agent left. */
  List<Found> recover() throws IOException;

  /**
   * Keeps a journal for a person to look at, where {@link #recover} does not find it again.
   *
   * @param why for the log, a sentence
   */
  void setAside(Found found, String why) throws IOException;

  /** Removes the journal of a terminal session. */
  void remove(SessionKey key) throws IOException;
}
