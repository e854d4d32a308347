package dev.vfio.migration.agent.journal;

import dev.vfio.migration.agent.session.FencingStore;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;

/** The highest fencing number, as decimal text in a file that is replaced as a whole. */
public final class FencingFile implements FencingStore {
  private final Path file;

  /**
   * @param directory exists
   */
  public FencingFile(Path directory) {
    this.file = directory.resolve("fencing-number");
  }

  @Override
  public long read() throws IOException {
    if (!Files.exists(file)) {
      return 0;
    }
    String text = Files.readString(file, StandardCharsets.US_ASCII).trim();
    try {
      return Long.parseUnsignedLong(text);
    } catch (NumberFormatException problem) {
      throw new IOException(
          file
              + " does not hold a number but \""
              + text
              + "\"; put the fencing number of the operator's current leader there",
          problem);
    }
  }

  @Override
  public void write(long number) throws IOException {
    Path fresh = file.resolveSibling("fencing-number.new");
    ByteBuffer text =
        ByteBuffer.wrap((Long.toUnsignedString(number) + "\n").getBytes(StandardCharsets.US_ASCII));
    try (FileChannel channel =
        FileChannel.open(
            fresh,
            StandardOpenOption.CREATE,
            StandardOpenOption.TRUNCATE_EXISTING,
            StandardOpenOption.WRITE)) {
      while (text.hasRemaining()) {
        channel.write(text);
      }
      channel.force(true);
    }
    Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
    JournalFile.forceDirectory(file.getParent());
  }
}
