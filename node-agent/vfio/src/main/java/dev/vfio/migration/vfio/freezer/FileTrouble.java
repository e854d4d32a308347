package dev.vfio.migration.vfio.freezer;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;

/** Translates exceptions about a cgroup's files into an errno and advice. */
final class FileTrouble {
  private static final int READ_ONLY_FILE_SYSTEM = 30;
  private static final String MOUNT =
      "Mount the machine's cgroup hierarchy (version 2) read-write into the agent.";

  private FileTrouble() {}

  /** The number that the kernel gave; EIO where the exception has none. */
  static int errno(IOException failure) {
    if (failure instanceof ErrnoException call) {
      return call.errno();
    }
    if (failure instanceof NoSuchFileException) {
      return Errno.ENOENT.number();
    }
    if (failure instanceof AccessDeniedException) {
      return Errno.EACCES.number();
    }
    String reason =
        failure instanceof FileSystemException known ? String.valueOf(known.getReason()) : "";
    if (reason.equals("Read-only file system")) {
      return READ_ONLY_FILE_SYSTEM;
    }
    return reason.equals("Operation not permitted") ? Errno.EPERM.number() : Errno.EIO.number();
  }

  /** The file, what the kernel said, and what to do. */
  static String described(IOException failure) {
    if (!(failure instanceof FileSystemException file)) {
      return failure.getMessage() + ". " + MOUNT;
    }
    int errno = errno(file);
    if (errno == Errno.ENOENT.number()) {
      return String.format(
          "there is no %s, ENOENT (2). A kernel before Linux 5.2 cannot freeze a cgroup of version"
              + " 2; on a later one see whether this is the machine's own hierarchy. %s",
          file.getFile(), MOUNT);
    }
    String name = errno == READ_ONLY_FILE_SYSTEM ? "EROFS (30)" : Errno.describe(errno);
    return file.getFile()
        + " cannot be used, "
        + name
        + (file.getReason() == null ? "" : ": " + file.getReason())
        + ". "
        + MOUNT;
  }
}
