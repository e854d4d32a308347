package dev.vfio.migration.agent.journal;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Path;

/**
 * Something could not be made durable in the journal directory. The message has the file, the errno
 * and what a person does about it. Java's own has a path at some calls, and an errno at none.
 */
public final class JournalWriteException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  private JournalWriteException(String message, int errno, IOException cause) {
    super(message, cause);
    this.errno = errno;
  }

  /**
   * @param file that was to be written, in the journal directory
   */
  public static JournalWriteException of(Path file, IOException problem) {
    int errno = errno(problem);
    return new JournalWriteException(
        String.format(
            "%s in the directory %s cannot be written, %s: %s. %s",
            file.getFileName(),
            file.getParent(),
            Errno.describe(errno),
            problem.getMessage(),
            advice(errno, file.getParent())),
        errno,
        problem);
  }

  /** What the kernel answered; 0 where that is not known. */
  public int errno() {
    return errno;
  }

  private static int errno(IOException problem) {
    if (problem instanceof ErrnoException call) {
      return call.errno();
    }
    if (problem instanceof AccessDeniedException) {
      return Errno.EACCES.number();
    }
    String said =
        problem instanceof FileSystemException known && known.getReason() != null
            ? known.getReason()
            : String.valueOf(problem.getMessage());
    return switch (said) {
      case "No space left on device" -> Errno.ENOSPC.number();
      case "Disk quota exceeded" -> Errno.EDQUOT.number();
      case "Read-only file system" -> Errno.EROFS.number();
      case "Input/output error" -> Errno.EIO.number();
      case "File too large" -> Errno.EFBIG.number();
      case "Operation not permitted" -> Errno.EPERM.number();
      default -> 0;
    };
  }

  private static String advice(int errno, Path directory) {
    String kernelLog = "Look for the disk's failure in the kernel's log of this node (dmesg)";
    String goesOn = " The agent goes on by itself then; do not remove journals.";
    if (errno == Errno.ENOSPC.number() || errno == Errno.EDQUOT.number()) {
      return "Make room on the disk of "
          + directory
          + (errno == Errno.EDQUOT.number() ? ", or raise its quota." : ".")
          + goesOn;
    }
    if (errno == Errno.EROFS.number()) {
      return kernelLog + ", and mount the disk of " + directory + " read-write again." + goesOn;
    }
    if (errno == Errno.EIO.number()) {
      return kernelLog + ", and mend or replace the disk of " + directory + "." + goesOn;
    }
    return "See that the agent's user may write to " + directory + "." + goesOn;
  }
}
