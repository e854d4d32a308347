package dev.vfio.migration.agent.journal.file;

import dev.vfio.migration.agent.journal.JournalWriteException;
import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * One session's journal in its file, which is made, reopened or rewritten with the first append.
 */
final class FileJournal implements SessionJournal {
  /** Ends the name of a damaged file that was kept for a person to look at. */
  static final String DAMAGED_SUFFIX = ".damaged";

  /** Where the damaged journal in {@code file} is kept. */
  static Path damaged(Path file) {
    return file.resolveSibling(file.getFileName() + DAMAGED_SUFFIX);
  }

  /** Makes the file ready, and durable with that entry in it. */
  @FunctionalInterface
  private interface Begin {
    JournalFile with(byte[] entry) throws IOException;
  }

  private final Path path;
  private final Begin begin;
  private JournalFile file;
  private boolean closed;

  private FileJournal(Path path, Begin begin) {
    this.path = path;
    this.begin = begin;
  }

  /** A new journal. */
  static FileJournal fresh(Path path) {
    return new FileJournal(
        path,
        entry -> {
          if (Files.exists(path)) {
            throw new IOException(path + " is there already; look at it and move it away");
          }
          try {
            return JournalFile.create(path, List.of(entry));
          } catch (IOException problem) {
            // The session never was: its file need not stay.
            JournalFile.remove(path, problem);
            throw problem;
          }
        });
  }

  /** A journal that is whole, but for a tail that nobody acted on. */
  static FileJournal goesOn(Path path, JournalImage.Contents contents) {
    return new FileJournal(
        path,
        entry -> {
          JournalFile reopened = JournalFile.reopen(path, contents);
          try {
            reopened.append(entry);
          } catch (IOException problem) {
            reopened.close();
            throw problem;
          }
          return reopened;
        });
  }

  /**
   * A journal that is damaged. The file stays as it is until the session appends; then it is kept
   * under another name, and a whole one with {@code records} takes its place.
   *
   * @param records as they are read now, with what says that some are lost
   */
  static FileJournal mended(Path path, List<SessionRecord> records) {
    return new FileJournal(
        path,
        entry -> {
          Path kept = damaged(path);
          Files.deleteIfExists(kept);
          Files.createLink(kept, path);
          List<byte[]> entries = new ArrayList<>();
          for (SessionRecord record : records) {
            entries.add(RecordCodec.encode(record));
          }
          entries.add(entry);
          return JournalFile.create(path, entries);
        });
  }

  @Override
  public void append(SessionRecord record) throws IOException {
    if (closed) {
      throw new IOException(path + " is closed: its session has ended");
    }
    byte[] entry = RecordCodec.encode(record);
    try {
      if (file == null) {
        file = begin.with(entry);
      } else {
        file.append(entry);
      }
    } catch (IOException problem) {
      throw JournalWriteException.of(path, problem);
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
