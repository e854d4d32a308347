package dev.vfio.migration.agent.journal.file;

import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** What a journal's entries say of its session. Pure. */
public final class JournalReader {
  private JournalReader() {}

  /**
   * A session as its journal has it.
   *
   * @param records in order; {@link SessionRecord.EntriesLost} stands where some cannot be read
   * @param damage what is wrong with the file, null where nothing is
   * @param usable whether the session can go on with these records
   */
  public record Reading(List<SessionRecord> records, String damage, boolean usable) {
    public Reading {
      records = List.copyOf(records);
    }
  }

  /** Reads what was found in a file as the journal of that session. */
  public static Reading read(SessionKey key, Role role, JournalImage.Contents contents) {
    List<SessionRecord> records = new ArrayList<>();
    for (byte[] entry : contents.entries()) {
      try {
        records.add(RecordCodec.decode(entry));
      } catch (IOException unknown) {
        // It may be a point of no return that this version knows nothing of.
        return new Reading(
            records, "entry " + (records.size() + 1) + ": " + unknown.getMessage(), false);
      }
    }
    if (records.isEmpty()) {
      return new Reading(
          records,
          contents.damage() != null ? contents.damage() : "there is no entry in it",
          false);
    }
    String foreign = foreign(records.get(0), key, role);
    if (foreign != null) {
      return new Reading(records, foreign, false);
    }
    if (contents.damage() != null) {
      SessionRecord end = end(contents.last());
      records.add(end != null ? end : new SessionRecord.EntriesLost(contents.damage()));
    }
    return new Reading(records, contents.damage(), true);
  }

  /** A session that ended has ended, whatever cannot be read before that. */
  private static SessionRecord end(byte[] last) {
    if (last == null) {
      return null;
    }
    try {
      SessionRecord record = RecordCodec.decode(last);
      return record.terminal() ? record : null;
    } catch (IOException unknown) {
      return null;
    }
  }

  private static String foreign(SessionRecord first, SessionKey key, Role role) {
    SessionKey found = null;
    if (first instanceof SessionRecord.SourceStarted started && role == Role.SOURCE) {
      found = started.spec().key();
    } else if (first instanceof SessionRecord.Prepared prepared && role == Role.DESTINATION) {
      found = prepared.spec().key();
    }
    return key.equals(found)
        ? null
        : "its first entry is not that of the session in its name, but " + first;
  }
}
