package dev.vfio.migration.agent.journal;

import dev.vfio.migration.agent.session.Role;
import dev.vfio.migration.agent.session.SessionJournal;
import dev.vfio.migration.agent.session.SessionJournals;
import dev.vfio.migration.agent.session.SessionKey;
import dev.vfio.migration.agent.session.SessionRecord;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The journals of this agent in one directory: {@code UID.ATTEMPT.source.journal} and {@code
 * UID.ATTEMPT.destination.journal}. One agent at a time holds the directory. Safe for use by
 * several threads.
 */
public final class JournalDirectory implements SessionJournals, AutoCloseable {
  private static final Pattern NAME =
      Pattern.compile(
          "([A-Za-z0-9][-A-Za-z0-9]{0,63})\\.([1-9][0-9]{0,8})\\.(source|destination)\\.journal");

  private final Path directory;
  private final FileChannel lock;

  /**
   * Makes the directory where it is missing, and takes it.
   *
   * @throws IOException where it cannot be written, or another agent holds it
   */
  public JournalDirectory(Path directory) throws IOException {
    this.directory = directory;
    Files.createDirectories(directory);
    this.lock =
        FileChannel.open(
            directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    if (!locked()) {
      lock.close();
      throw new IOException(
          "another agent holds the journal directory "
              + directory
              + "; two agents must never drive the same devices. End the other one first.");
    }
    RecordCodec.warmUp();
  }

  private boolean locked() throws IOException {
    try {
      FileLock taken = lock.tryLock();
      return taken != null;
    } catch (OverlappingFileLockException heldInThisProcess) {
      return false;
    }
  }

  @Override
  public SessionJournal create(SessionKey key, Role role) {
    return new FileJournal(file(key, role));
  }

  private Path file(SessionKey key, Role role) {
    return directory.resolve(
        key.uid() + "." + key.attempt() + "." + role.name().toLowerCase(Locale.ROOT) + ".journal");
  }

  @Override
  public List<Found> recover() throws IOException {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> listed = Files.newDirectoryStream(directory, "*.journal")) {
      listed.forEach(files::add);
    }
    files.sort(null);
    List<Found> found = new ArrayList<>();
    for (Path file : files) {
      Matcher name = NAME.matcher(file.getFileName().toString());
      if (!name.matches()) {
        throw new IOException(
            file + " is no journal of this agent; move it away and start the agent again");
      }
      SessionKey key = new SessionKey(name.group(1), Integer.parseInt(name.group(2)));
      Role role = Role.valueOf(name.group(3).toUpperCase(Locale.ROOT));
      Found session = recover(file, key, role);
      if (session != null) {
        found.add(session);
      }
    }
    return found;
  }

  /** Null where the session never began. */
  private static Found recover(Path file, SessionKey key, Role role) throws IOException {
    JournalFile.Contents contents = JournalFile.read(file);
    List<SessionRecord> records = new ArrayList<>();
    String damage = contents.damage();
    for (byte[] entry : contents.entries()) {
      try {
        records.add(RecordCodec.decode(entry));
      } catch (IOException unknown) {
        damage = "entry " + (records.size() + 1) + ": " + unknown.getMessage();
        break;
      }
    }
    if (damage != null) {
      return new Found(key, role, records, file + ": " + damage, null);
    }
    if (records.isEmpty()) {
      // Torn before its first entry was durable: nothing was touched.
      Files.delete(file);
      return null;
    }
    boolean ended = records.get(records.size() - 1).terminal();
    return new Found(key, role, records, null, new FileJournal(file, ended ? null : contents));
  }

  @Override
  public void remove(SessionKey key) throws IOException {
    for (Role role : Role.values()) {
      Files.deleteIfExists(file(key, role));
    }
  }

  /** Whether entries can be written now: writes and removes a file. */
  public void probe() throws IOException {
    Path probe = directory.resolve("probe");
    Files.write(probe, new byte[] {1}, StandardOpenOption.CREATE, StandardOpenOption.SYNC);
    Files.deleteIfExists(probe);
  }

  /** Gives the directory up. */
  @Override
  public void close() throws IOException {
    lock.close();
  }
}
