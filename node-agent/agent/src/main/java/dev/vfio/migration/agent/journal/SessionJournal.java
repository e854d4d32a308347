package dev.vfio.migration.agent.journal;

import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;

/** The journal of one session. Used by the session's own thread. */
public interface SessionJournal extends AutoCloseable {

  /**
   * Appends the record and returns once it is durable; the first one also makes the journal itself
   * durable. After a failure the record is not there, or the journal stays unusable.
   */
  void append(SessionRecord record) throws IOException;

  @Override
  void close();
}
