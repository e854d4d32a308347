package dev.vfio.migration.agent.journal.file;

import dev.vfio.migration.vfio.linux.DiskRoom;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/**
 * A file of framed entries that is appended to; {@link JournalImage} has its format. A file comes
 * into being whole, by a rename, with its first entry in it. An entry counts once it was forced to
 * the disk; its count is forced with it, so that an append costs one flush.
 *
 * <p>Owned by one thread.
 */
final class JournalFile implements AutoCloseable {
  /** Behind the name of a file that is not complete yet: it never was a journal. */
  static final String NEW_SUFFIX = ".new";

  private static final FileAttribute<Set<PosixFilePermission>> FOR_US_ALONE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));
  private static final Set<StandardOpenOption> FRESH =
      Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);

  private final Path file;
  private final FileChannel channel;
  private long end;
  private int count;
  private boolean unusable;

  private JournalFile(Path file, FileChannel channel, long end, int count) {
    this.file = file;
    this.channel = channel;
    this.end = end;
    this.count = count;
  }

  /** Makes the file durable with these entries in it, in the place of one that may be there. */
  static JournalFile create(Path file, List<byte[]> payloads) throws IOException {
    byte[] image = JournalImage.of(payloads);
    Path fresh = file.resolveSibling(file.getFileName() + NEW_SUFFIX);
    Files.deleteIfExists(fresh);
    FileChannel channel = FileChannel.open(fresh, FRESH, FOR_US_ALONE);
    try {
      write(channel, 0, image);
      // Entries are written while a workload stands still: they do not find the disk full then.
      DiskRoom.reserve(fresh, image.length + DiskRoom.OF_A_MIGRATION);
      channel.force(true);
      Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
      forceDirectory(file.getParent());
      return new JournalFile(file, channel, image.length, payloads.size());
    } catch (IOException problem) {
      channel.close();
      remove(fresh, problem);
      throw problem;
    }
  }

  /** Removes what an attempt left; where that fails, the failure of the attempt says so. */
  static void remove(Path leftOver, IOException problem) {
    try {
      Files.deleteIfExists(leftOver);
    } catch (IOException stays) {
      problem.addSuppressed(stays);
    }
  }

  /** Opens a file that is not damaged, to go on behind its last good entry. */
  static JournalFile reopen(Path file, JournalImage.Contents contents) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
    JournalFile journal = new JournalFile(file, channel, contents.end(), contents.entries().size());
    try {
      journal.cutTail();
    } catch (IOException problem) {
      channel.close();
      throw problem;
    }
    return journal;
  }

  /** Appends an entry and returns once it is durable. */
  void append(byte[] payload) throws IOException {
    if (unusable && !mended()) {
      throw new IOException(file + " could not be mended after an earlier failure to write");
    }
    unusable = false;
    byte[] entry = JournalImage.entry(payload);
    try {
      write(channel, end, entry);
      writeSlot(count + 1);
      channel.force(true);
      end += entry.length;
      count++;
    } catch (IOException problem) {
      // What was written of it must not stand between this and a later entry.
      unusable = !mended();
      throw problem;
    }
  }

  private void writeSlot(int entries) throws IOException {
    write(channel, JournalImage.slotOffset(entries), JournalImage.slot(entries));
  }

  private static void write(FileChannel channel, long place, byte[] bytes) throws IOException {
    ByteBuffer left = ByteBuffer.wrap(bytes);
    long at = place;
    while (left.hasRemaining()) {
      at += channel.write(left, at);
    }
  }

  private boolean mended() {
    try {
      cutTail();
      return true;
    } catch (IOException problem) {
      return false;
    }
  }

  /** The head counts what is there, and nothing stands behind that. */
  private void cutTail() throws IOException {
    channel.truncate(end);
    writeSlot(count - 1);
    writeSlot(count);
    channel.force(true);
  }

  /** Makes names in the directory durable. */
  static void forceDirectory(Path directory) throws IOException {
    try (FileChannel opened = FileChannel.open(directory, StandardOpenOption.READ)) {
      opened.force(true);
    }
  }

  /** Every entry that was appended is durable already. */
  @Override
  public void close() {
    try {
      channel.close();
    } catch (IOException nothingToLose) {
      unusable = true;
    }
  }
}
