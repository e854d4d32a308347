package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Room on the disk for what has to be written while a workload stands still: looked at, or taken,
 * before anything is touched.
 */
public final class DiskRoom {
  /** Bytes; the small records of one migration take far less. */
  public static final long OF_A_MIGRATION = 64 << 10;

  static final int FALLOC_FL_KEEP_SIZE = 1;

  private DiskRoom() {}

  /**
   * Makes sure that this process may write to the directory, and that there is room for the records
   * of one migration now.
   *
   * @throws IOException where it is not so; the message says what there is
   */
  public static void require(Path directory) throws IOException {
    if (!Files.isWritable(directory)) {
      throw new IOException("this agent cannot write to " + directory);
    }
    long left = Files.getFileStore(directory).getUsableSpace();
    if (left < OF_A_MIGRATION) {
      throw new IOException(
          String.format(
              "the disk of %s has %s bytes left, and %s are needed; make room there",
              directory, left, OF_A_MIGRATION));
    }
  }

  /**
   * Reserves room for a file's growth, so that no later write finds the disk full. The file's size
   * stays as it is. Does nothing where the file system cannot promise room.
   *
   * @param bytes from the file's start
   * @throws ErrnoException ENOSPC where there is no such room
   */
  public static void reserve(Path file, long bytes) throws ErrnoException {
    try (Descriptor open = Descriptor.open(file, LibC.O_RDWR | LibC.O_CLOEXEC, file)) {
      SystemCall.retried(
          "taking room for " + bytes + " bytes in " + file,
          () -> LibC.fallocate(open.number(), FALLOC_FL_KEEP_SIZE, 0, bytes));
    } catch (ErrnoException failure) {
      if (!failure.is(Errno.EOPNOTSUPP) && !failure.is(Errno.ENOSYS)) {
        throw failure;
      }
    }
  }
}
