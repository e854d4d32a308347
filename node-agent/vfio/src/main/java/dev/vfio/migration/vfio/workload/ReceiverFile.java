package dev.vfio.migration.vfio.workload;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.json.JsonMapper;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.DurableFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which process one device's state and memory were loaded for, on a disk that outlives the agent.
 * For one writer at a time.
 */
public final class ReceiverFile {
  private static final JsonMapper JSON = new JsonMapper();

  private final Path file;
  private final Processes processes;

  /**
   * Does no I/O.
   *
   * @param file of the device; its folder is made with it
   * @param processes of this machine
   */
  public ReceiverFile(Path file, Processes processes) {
    this.file = file;
    this.processes = processes;
  }

  /** Returns once it is on the disk. */
  void write(String migration, long process, int windows) throws IOException {
    Files.createDirectories(file.toAbsolutePath().getParent());
    DurableFile.write(
        file,
        JSON.writeValueAsBytes(
            JSON.createObjectNode()
                .put("migration", migration)
                .put("process", process)
                .put("startTime", processes.startTime(process).orElse(0))
                .put("windows", windows)));
  }

  /**
   * For which process it was loaded; empty where nothing was for that migration, and where an
   * earlier version of the agent did not note it.
   *
   * @throws IOException where the file is damaged; the message says what to do
   */
  Optional<Receiver> of(String migration) throws IOException {
    try {
      JsonNode text = StrictJson.object(DurableFile.read(file));
      Receiver receiver =
          new Receiver(
              StrictJson.text(text, "migration"),
              StrictJson.count(text, "process"),
              StrictJson.count(text, "startTime"),
              Math.toIntExact(StrictJson.count(text, "windows")));
      return Optional.of(receiver).filter(one -> one.migration().equals(migration));
    } catch (NoSuchFileException none) {
      return Optional.empty();
    } catch (StrictJson.MalformedException | DurableFile.DamagedException damaged) {
      throw new IOException(
          "the file "
              + file
              + ", which says for which process the device was loaded, is damaged. See that the"
              + " workload was not started anew since, and remove the file.",
          damaged);
    }
  }

  /** Whether that is the very process; also where one of the two is not known. */
  boolean isStill(Receiver receiver, long process) throws IOException {
    if (receiver.process() == 0 || process == 0) {
      return true;
    }
    return receiver.process() == process
        && (receiver.startTime() == 0 || processes.lives(process, receiver.startTime()));
  }
}
