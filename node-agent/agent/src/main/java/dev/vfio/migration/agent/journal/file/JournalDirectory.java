package dev.vfio.migration.agent.journal.file;

import dev.vfio.migration.agent.journal.JournalWriteException;
import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.journal.SessionJournals;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jboss.logging.Logger;

/**
 * The journals of this agent in one directory: {@code UID.ATTEMPT.source.journal} and {@code
 * UID.ATTEMPT.destination.journal}. One agent at a time holds the directory. Safe for use by
 * several threads.
 */
public final class JournalDirectory implements SessionJournals, AutoCloseable {
  private static final Pattern NAME =
      Pattern.compile(
          "([A-Za-z0-9][-A-Za-z0-9]{0,63})\\.([1-9][0-9]{0,8})\\.(source|destination)\\.journal");

  private static final Set<PosixFilePermission> FOR_US_ALONE =
      PosixFilePermissions.fromString("rwx------");
  private static final Logger LOG = Logger.getLogger(JournalDirectory.class);

  /** A journal has a few entries; what is larger than this is none. */
  private static final long MAX_FILE_BYTES = 64L << 20;

  private final Path directory;
  private final FileChannel lock;

  /**
   * Makes the directory where it is missing, and takes it.
   *
   * @throws IOException where it cannot be written, or another agent holds it
   */
  public JournalDirectory(Path directory) throws IOException {
    this.directory = directory;
    this.lock = made(directory);
    if (!locked()) {
      lock.close();
      throw new IOException(
          "another agent holds the journal directory "
              + directory
              + "; two agents must never drive the same devices. End the other one first.");
    }
    RecordCodec.warmUp();
  }

  private static FileChannel made(Path directory) throws IOException {
    try {
      Files.createDirectories(directory, PosixFilePermissions.asFileAttribute(FOR_US_ALONE));
      // Earlier versions made it for everybody to read.
      Files.setPosixFilePermissions(directory, FOR_US_ALONE);
      return FileChannel.open(
          directory.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    } catch (IOException failure) {
      throw new IOException(
          String.format(
              "the journal directory %s cannot be made or written (%s). Nothing was done to any"
                  + " device; give the agent a directory of the host that its user may write to, or"
                  + " name another in agent.journal-directory.",
              directory, failure),
          failure);
    }
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
    return FileJournal.fresh(file(key, role));
  }

  private Path file(SessionKey key, Role role) {
    return directory.resolve(
        key.uid() + "." + key.attempt() + "." + role.name().toLowerCase(Locale.ROOT) + ".journal");
  }

  @Override
  public List<Found> recover() throws IOException {
    List<Path> files = new ArrayList<>();
    try (DirectoryStream<Path> listed = Files.newDirectoryStream(directory, "*.journal*")) {
      listed.forEach(files::add);
    }
    files.sort(null);
    List<Found> found = new ArrayList<>();
    for (Path file : files) {
      String name = file.getFileName().toString();
      Matcher journal = NAME.matcher(name);
      if (journal.matches()) {
        SessionKey key = new SessionKey(journal.group(1), Integer.parseInt(journal.group(2)));
        found.add(recover(file, key, Role.valueOf(journal.group(3).toUpperCase(Locale.ROOT))));
      } else if (name.endsWith(JournalFile.NEW_SUFFIX)) {
        // The agent ended before this became a journal: nobody acted on what is in it.
        Files.deleteIfExists(file);
      } else if (!name.endsWith(FileJournal.DAMAGED_SUFFIX)) {
        LOG.warnf(
            "%s is no journal of this agent: its name is not"
                + " UID.ATTEMPT.source.journal or UID.ATTEMPT.destination.journal. It is left as it"
                + " is, and nothing is done for it; look at it and move it away.",
            file);
      }
    }
    return found;
  }

  private static Found recover(Path file, SessionKey key, Role role) {
    byte[] bytes;
    try {
      bytes = read(file);
    } catch (IOException unreadable) {
      return new Found(key, role, List.of(), file + " cannot be read: " + unreadable, null);
    }
    JournalImage.Contents contents = JournalImage.read(bytes);
    JournalReader.Reading reading = JournalReader.read(key, role, contents);
    if (!reading.usable()) {
      return new Found(key, role, reading.records(), file + ": " + reading.damage(), null);
    }
    if (reading.damage() != null) {
      return new Found(
          key,
          role,
          reading.records(),
          file + ": " + reading.damage(),
          FileJournal.mended(file, reading.records()));
    }
    return new Found(key, role, reading.records(), null, FileJournal.goesOn(file, contents));
  }

  private static byte[] read(Path file) throws IOException {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      throw new IOException("it is not a regular file");
    }
    if (Files.size(file) > MAX_FILE_BYTES) {
      throw new IOException("it has " + Files.size(file) + " bytes, more than any journal has");
    }
    return Files.readAllBytes(file);
  }

  @Override
  public void setAside(Found found, String why) throws IOException {
    Path file = file(found.key(), found.role());
    Path kept = FileJournal.damaged(file);
    Files.move(file, kept, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    JournalFile.forceDirectory(directory);
    LOG.warnf(
        "%s is set aside as %s, and nothing is done for it: %s. %s",
        file, kept.getFileName(), found.damage(), why);
  }

  @Override
  public void remove(SessionKey key) throws IOException {
    for (Role role : Role.values()) {
      Path file = file(key, role);
      Files.deleteIfExists(file);
      Files.deleteIfExists(FileJournal.damaged(file));
    }
  }

  /** Whether entries can be written now: writes and removes a file. */
  public void probe() throws IOException {
    Path probe = directory.resolve("probe");
    try {
      Files.write(probe, new byte[] {1}, StandardOpenOption.CREATE, StandardOpenOption.SYNC);
      Files.deleteIfExists(probe);
    } catch (IOException problem) {
      throw JournalWriteException.of(probe, problem);
    }
  }

  /** Gives the directory up. */
  @Override
  public void close() throws IOException {
    lock.close();
  }
}
