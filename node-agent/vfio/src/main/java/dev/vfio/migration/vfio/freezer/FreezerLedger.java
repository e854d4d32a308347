package dev.vfio.migration.vfio.freezer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.DurableFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * What this agent froze and has not thawed: written to the disk before the freezing, removed after
 * the thaw, so that nothing stays frozen because an agent was killed in between. One file for each
 * device. Safe for use by several threads, as long as they are about different devices.
 */
public final class FreezerLedger {
  private static final System.Logger LOG = System.getLogger(FreezerLedger.class.getName());
  private static final String SUFFIX = ".json";
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Path directory;

  /**
   * A cgroup that is frozen, or was about to be.
   *
   * @param device id of the device that its workload holds
   * @param migration that it stands still for
   * @param cgroup path from the root of the hierarchy
   * @param process number of the process that holds the device
   * @param startTime of that process
   */
  public record Entry(
      String device, String migration, String cgroup, long process, long startTime) {}

  /**
   * Makes the directory where it is missing.
   *
   * @param directory for this ledger alone, on a disk that outlives the agent
   */
  public FreezerLedger(Path directory) throws IOException {
    this.directory = Files.createDirectories(directory);
  }

  /**
   * Every entry that can be read. An unreadable file is logged and passed over, because it concerns
   * one device and the others have to be thawed all the same.
   */
  public List<Entry> entries() throws IOException {
    return entries(
        unreadable ->
            LOG.log(
                System.Logger.Level.ERROR,
                "passed over, so that what it says is frozen stays as it is: "
                    + unreadable.getMessage()));
  }

  /**
   * Every entry that can be read.
   *
   * @param unreadable is given the failure of each file that cannot be read
   */
  List<Entry> entries(Consumer<IOException> unreadable) throws IOException {
    List<Entry> entries = new ArrayList<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory, "*" + SUFFIX)) {
      for (Path file : files) {
        try {
          read(file).ifPresent(entries::add);
        } catch (IOException problem) {
          unreadable.accept(problem);
        }
      }
    } catch (DirectoryIteratorException failure) {
      throw failure.getCause();
    }
    return entries;
  }

  public Optional<Entry> of(String device) throws IOException {
    return read(file(device));
  }

  private Optional<Entry> read(Path file) throws IOException {
    try {
      JsonNode said = StrictJson.object(DurableFile.read(file));
      Entry entry =
          new Entry(
              StrictJson.text(said, "device"),
              StrictJson.text(said, "migration"),
              StrictJson.text(said, "cgroup"),
              StrictJson.count(said, "process"),
              StrictJson.count(said, "startTime"));
      if (file.equals(file(entry))) {
        return Optional.of(entry);
      }
    } catch (NoSuchFileException none) {
      return Optional.empty();
    } catch (StrictJson.MalformedException | DurableFile.DamagedException damaged) {
      throw damaged(file, damaged);
    }
    throw damaged(file, null);
  }

  private static IOException damaged(Path file, Exception cause) {
    return new IOException(
        "the freezer's ledger "
            + file
            + " is damaged. See whether a cgroup is frozen that should not be (cgroup.freeze), thaw"
            + " it, and remove the file.",
        cause);
  }

  Path directory() {
    return directory;
  }

  /** The file that a device's entry is in, for messages. */
  public Path file(Entry entry) {
    return file(entry.device());
  }

  /** Adds an entry, or replaces that of the same device; durable when this returns. */
  void write(Entry entry) throws IOException {
    byte[] text =
        JSON.writeValueAsBytes(
            JSON.createObjectNode()
                .put("device", entry.device())
                .put("migration", entry.migration())
                .put("cgroup", entry.cgroup())
                .put("process", entry.process())
                .put("startTime", entry.startTime()));
    DurableFile.write(file(entry.device()), text);
  }

  /** Removes a device's entry; nothing where there is none. */
  void remove(String device) throws IOException {
    DurableFile.remove(file(device));
  }

  private Path file(String device) {
    StringBuilder name = new StringBuilder();
    for (byte one : device.getBytes(StandardCharsets.UTF_8)) {
      char character = (char) (one & 0xff);
      boolean plain =
          character >= '0' && character <= '9'
              || character >= 'a' && character <= 'z'
              || character >= 'A' && character <= 'Z'
              || character == '-';
      name.append(
          plain ? String.valueOf(character) : String.format(Locale.ROOT, "_%02x", (int) character));
    }
    return directory.resolve(name + SUFFIX);
  }
}
