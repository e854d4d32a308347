package dev.vfio.migration.agent.journal.file;

import dev.vfio.migration.agent.journal.FencingStore;
import dev.vfio.migration.agent.journal.JournalWriteException;
import dev.vfio.migration.vfio.linux.DurableFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** The highest fencing number, as decimal text in a record of its own. */
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
    try {
      String text = new String(DurableFile.read(file), StandardCharsets.US_ASCII);
      if (!text.endsWith("\n")) {
        throw new NumberFormatException("its line has no end");
      }
      return Long.parseUnsignedLong(text.substring(0, text.length() - 1));
    } catch (NoSuchFileException neverWritten) {
      return 0;
    } catch (DurableFile.DamagedException | NumberFormatException damaged) {
      throw new IOException(
          file
              + " does not hold the highest fencing number any more ("
              + damaged.getMessage()
              + "), so a command of a leader that was deposed could not be told from one of"
              + " today's. Make sure that one operator leads, remove the file and start the agent"
              + " again; the leader's next command writes it anew.",
          damaged);
    }
  }

  @Override
  public void write(long number) throws IOException {
    String line = Long.toUnsignedString(number) + "\n";
    try {
      DurableFile.write(file, line.getBytes(StandardCharsets.US_ASCII));
    } catch (IOException problem) {
      throw JournalWriteException.of(file, problem);
    }
  }
}
