package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** Small files that are on the disk, whole or not at all, once a call returns. */
public final class DurableFile {
  /** Ends the name of a file that is being written. */
  private static final String FRESH = ".new";

  private DurableFile() {}

  /** Makes or replaces a file. One writer at a time for each file. */
  public static void write(Path file, byte[] content) throws IOException {
    Path fresh = file.resolveSibling(file.getFileName() + FRESH);
    try (FileChannel channel =
        FileChannel.open(
            fresh,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      ByteBuffer bytes = ByteBuffer.wrap(content);
      while (bytes.hasRemaining()) {
        channel.write(bytes);
      }
      channel.force(true);
    }
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    forceDirectory(file);
  }

  /** Removes a file; nothing where there is none. */
  public static void remove(Path file) throws IOException {
    if (Files.deleteIfExists(file)) {
      forceDirectory(file);
    }
  }

  private static void forceDirectory(Path file) throws IOException {
    try (FileChannel opened =
        FileChannel.open(file.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
      opened.force(true);
    }
  }
}
