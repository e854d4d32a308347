package dev.vfio.migration.agent.journal;

import dev.vfio.migration.agent.session.SessionJournal;
import dev.vfio.migration.agent.session.SessionRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** One session's journal in its file, which is made or reopened with the first append. */
final class FileJournal implements SessionJournal {
  private final Path path;
  private final JournalFile.Contents earlier;
  private JournalFile file;
  private boolean closed;

  /** A new journal. */
  FileJournal(Path path) {
    this(path, null);
  }

  /**
   * @param earlier what the file holds already, null where it is to be made
   */
  FileJournal(Path path, JournalFile.Contents earlier) {
    this.path = path;
    this.earlier = earlier;
  }

  @Override
  public void append(SessionRecord record) throws IOException {
    if (closed) {
      throw new IOException(path + " is closed: its session has ended");
    }
    byte[] entry = RecordCodec.encode(record);
    boolean first = file == null && earlier == null;
    if (file == null) {
      file = earlier == null ? JournalFile.create(path) : JournalFile.reopen(path, earlier);
    }
    try {
      file.append(entry);
    } catch (IOException problem) {
      if (first) {
        discard(problem);
      }
      throw problem;
    }
  }

  /** The session never was: its file need not stay. One that stays is torn, and removed later. */
  private void discard(IOException problem) {
    file.close();
    file = null;
    try {
      Files.deleteIfExists(path);
    } catch (IOException stays) {
      problem.addSuppressed(stays);
    }
  }

  @Override
  public void close() {
    closed = true;
    if (file != null) {
      file.close();
      file = null;
    }
  }
}
