package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * A small file that a less privileged user wrote: read without following a link, without waiting at
 * a pipe, and with its owner checked on the very descriptor that it is read from.
 *
 * @param content of a regular file, at most as many bytes as were allowed
 * @param owner user id that owns it
 * @param identity differs from that of another file of that name, and from its own before it was
 *     written to: its inode and the times that the file system keeps of it. Only to be compared
 *     with another's
 */
public record GuardedFile(String content, int owner, String identity) {
  /**
   * Reads it.
   *
   * @param path in a folder that nobody else can put another in the place of
   * @param maxBytes more than that is refused
   * @throws ErrnoException ENOENT where there is none, ELOOP where it is a link
   * @throws IOException where it is no regular file, has another name as well, is larger, or is not
   *     in UTF-8
   */
  public static GuardedFile read(Path path, int maxBytes) throws IOException {
    try (RootDirectory folder = RootDirectory.open(path.getParent());
        Descriptor file = folder.open(path.getFileName(), false)) {
      FileStatus status = FileStatus.of(file);
      if (status.links() != 1) {
        throw new IOException(
            path
                + " has "
                + status.links()
                + " names (hard links), so that it may be somebody else's; let it have this one");
      }
      if (status.size() > maxBytes) {
        throw new IOException(
            path + " has " + status.size() + " bytes, and at most " + maxBytes + " are read");
      }
      String identity = identity(OpenFile.path(file));
      ByteBuffer bytes = ByteBuffer.allocateDirect((int) status.size());
      fill(path, file, bytes);
      return new GuardedFile(text(path, bytes.flip()), status.owner(), identity);
    }
  }

  private static String text(Path path, ByteBuffer content) throws IOException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(content).toString();
    } catch (CharacterCodingException otherEncoding) {
      throw new IOException(path + ": it is not in UTF-8", otherEncoding);
    }
  }

  private static String identity(Path file) throws IOException {
    return Files.readAttributes(file, "unix:dev,ino,ctime,lastModifiedTime").toString();
  }

  private static void fill(Path path, Descriptor file, ByteBuffer into) throws ErrnoException {
    long address = LibC.addressOf(into);
    while (into.hasRemaining()) {
      int at = into.position();
      long got =
          SystemCall.retried(
              "read of " + path,
              () -> LibC.pread(file.number(), address + at, into.remaining(), at));
      if (got == 0) {
        return;
      }
      into.position(at + (int) got);
    }
  }

  /** One of the few flags that differ between architectures. */
  static int noFollow() {
    return Platform.isIntel() ? 0x20000 : 0x8000;
  }
}
