package dev.vfio.migration.agent.journal;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;

/**
 * An append-only file of framed entries. Each is
 *
 * <pre>
 *   u32 length of the payload, big endian, 1 to 1 MiB
 *   u32 CRC32C of the length's four bytes and the payload
 *   payload
 * </pre>
 *
 * <p>An entry counts once it was forced to the disk. What a crash leaves of the last entry is a
 * torn tail: it is cut off. A bad entry with a good one behind it is no torn tail but damage.
 *
 * <p>Owned by one thread.
 */
final class JournalFile implements AutoCloseable {
  static final int HEADER_BYTES = 8;
  static final int LARGEST_PAYLOAD_BYTES = 1 << 20;

  private final Path file;
  private final FileChannel channel;
  private long end;
  private boolean unusable;

  private JournalFile(Path file, FileChannel channel, long end) {
    this.file = file;
    this.channel = channel;
    this.end = end;
  }

  /**
   * What was found in a file.
   *
   * @param entries payloads in order, up to the first that is not good
   * @param end bytes of the file up to there
   * @param damage null where at most a torn tail follows
   */
  record Contents(List<byte[]> entries, long end, String damage) {}

  /** Makes the file; it and its name in the directory are durable with the first entry. */
  static JournalFile create(Path file) throws IOException {
    FileChannel channel =
        FileChannel.open(file, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    return new JournalFile(file, channel, 0);
  }

  /** Opens a file to go on behind its last good entry. */
  static JournalFile reopen(Path file, Contents contents) throws IOException {
    FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
    JournalFile journal = new JournalFile(file, channel, contents.end());
    try {
      journal.cutTail();
    } catch (IOException problem) {
      channel.close();
      throw problem;
    }
    return journal;
  }

  /** Reads a file. */
  static Contents read(Path file) throws IOException {
    byte[] bytes = Files.readAllBytes(file);
    List<byte[]> entries = new ArrayList<>();
    int at = 0;
    while (at < bytes.length) {
      int length = goodEntry(bytes, at);
      if (length < 0) {
        return new Contents(entries, at, damageBehind(bytes, at));
      }
      byte[] payload = new byte[length];
      System.arraycopy(bytes, at + HEADER_BYTES, payload, 0, length);
      entries.add(payload);
      at += HEADER_BYTES + length;
    }
    return new Contents(entries, at, null);
  }

  /** The length of the good entry's payload at that place, -1 where there is none. */
  private static int goodEntry(byte[] bytes, int at) {
    if (bytes.length - at < HEADER_BYTES) {
      return -1;
    }
    ByteBuffer header = ByteBuffer.wrap(bytes, at, HEADER_BYTES);
    int length = header.getInt();
    int sum = header.getInt();
    if (length < 1 || length > LARGEST_PAYLOAD_BYTES || length > bytes.length - at - HEADER_BYTES) {
      return -1;
    }
    return sum == checksum(bytes, at, length) ? length : -1;
  }

  private static String damageBehind(byte[] bytes, int bad) {
    for (int at = bad + 1; at <= bytes.length - HEADER_BYTES; at++) {
      if (goodEntry(bytes, at) >= 0) {
        return "the entry at byte " + bad + " is not what was written, and good entries follow it";
      }
    }
    return null;
  }

  private static int checksum(byte[] bytes, int at, int length) {
    CRC32C sum = new CRC32C();
    sum.update(bytes, at, Integer.BYTES);
    sum.update(bytes, at + HEADER_BYTES, length);
    return (int) sum.getValue();
  }

  /** Appends an entry and returns once it is durable. */
  void append(byte[] payload) throws IOException {
    if (unusable) {
      throw new IOException(file + " could not be mended after an earlier failure to write");
    }
    if (payload.length < 1 || payload.length > LARGEST_PAYLOAD_BYTES) {
      throw new IOException("an entry of " + payload.length + " bytes for " + file);
    }
    try {
      write(framed(payload));
      channel.force(true);
      if (end == 0) {
        forceDirectory(file.getParent());
      }
      end += HEADER_BYTES + payload.length;
    } catch (IOException problem) {
      // What was written of it must not stand between this and a later entry.
      unusable = !mended();
      throw problem;
    }
  }

  private static ByteBuffer framed(byte[] payload) {
    ByteBuffer frame = ByteBuffer.allocate(HEADER_BYTES + payload.length);
    frame.putInt(payload.length).putInt(0).put(payload).flip();
    frame.putInt(Integer.BYTES, checksum(frame.array(), 0, payload.length));
    return frame;
  }

  private void write(ByteBuffer frame) throws IOException {
    long at = end;
    while (frame.hasRemaining()) {
      at += channel.write(frame, at);
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

  private void cutTail() throws IOException {
    if (channel.size() > end) {
      channel.truncate(end);
      channel.force(true);
    }
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
