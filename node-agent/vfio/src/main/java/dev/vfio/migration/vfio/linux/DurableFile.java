package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Locale;
import java.util.Set;
import java.util.zip.CRC32C;

/**
 * Small records that are on the disk, whole or not at all, once a call returns, and that show when
 * the disk has damaged them: a last line holds the CRC32C of what stands before it. For the agent's
 * user alone to read.
 */
public final class DurableFile {
  /** Ends the name of a file that is being written. */
  private static final String FRESH = ".new";

  private static final String CHECKSUM = "crc32c ";
  private static final long MAX_BYTES = 1L << 20;
  private static final FileAttribute<?> FOR_US_ALONE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  private DurableFile() {}

  /** Makes or replaces a file. One writer at a time for each file. */
  public static void write(Path file, byte[] content) throws IOException {
    Path fresh = file.resolveSibling(file.getFileName() + FRESH);
    Files.deleteIfExists(fresh);
    try (FileChannel channel =
        FileChannel.open(
            fresh, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), FOR_US_ALONE)) {
      writeAll(channel, ByteBuffer.wrap(content));
      writeAll(channel, ByteBuffer.wrap(checksumLine(content)));
      channel.force(true);
    }
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    forceDirectory(file);
  }

  /**
   * Reads what {@link #write} wrote. A single line that says nothing of a checksum is what earlier
   * versions wrote and is answered as it is: the caller sees by its form whether it is whole.
   *
   * @throws java.nio.file.NoSuchFileException where there is no file
   * @throws DamagedException where it is not what was written
   */
  public static byte[] read(Path file) throws IOException {
    if (Files.size(file) > MAX_BYTES) {
      throw new DamagedException(file);
    }
    byte[] bytes = Files.readAllBytes(file);
    int length = Math.max(0, bytes.length - checksumLine(new byte[0]).length);
    byte[] content = Arrays.copyOf(bytes, length);
    byte[] line = checksumLine(content);
    if (Arrays.equals(bytes, length, bytes.length, line, 0, line.length)) {
      return content;
    }
    if (!isOfAnEarlierVersion(new String(bytes, StandardCharsets.ISO_8859_1))) {
      throw new DamagedException(file);
    }
    return bytes;
  }

  private static boolean isOfAnEarlierVersion(String text) {
    int lineEnd = text.indexOf('\n');
    return !text.contains(CHECKSUM) && (lineEnd < 0 || lineEnd == text.length() - 1);
  }

  /** A record that is not what was written. */
  public static final class DamagedException extends IOException {
    private static final long serialVersionUID = 1L;

    private DamagedException(Path file) {
      super(file + " is damaged: its checksum is not that of what it holds");
    }
  }

  private static byte[] checksumLine(byte[] content) {
    CRC32C sum = new CRC32C();
    sum.update(content);
    return String.format(Locale.ROOT, "\n%s%08x\n", CHECKSUM, sum.getValue())
        .getBytes(StandardCharsets.US_ASCII);
  }

  private static void writeAll(FileChannel channel, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
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
