package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.DiskRoom;
import dev.vfio.migration.vfio.linux.DurableFile;
import dev.vfio.migration.vfio.transfer.machine.Given;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * The transfer records of this node's devices, a file for each. An agent that was restarted tells
 * by them a holder that waits from one that uses its device, and knows of one that took it before
 * that was noted elsewhere. Safe for use by several threads, for different devices.
 */
final class TransferRecords {
  private final Path directory;

  /** Makes the directory where it is missing. It is for these files alone. */
  TransferRecords(Path directory) throws IOException {
    this.directory = Files.createDirectories(directory);
  }

  /** Makes sure that one more could be written. */
  void requireRoom() throws IOException {
    DiskRoom.require(directory);
  }

  /** The record of a device; empty where it was transferred for no migration that matters. */
  Optional<TransferRecord> of(String device) throws IOException {
    Path file = file(device);
    try {
      JsonNode record = StrictJson.object(DurableFile.read(file));
      Optional<Stage> stage = Stage.named(StrictJson.text(record, "stage"));
      if (stage.isPresent()) {
        return Optional.of(
            new TransferRecord(
                StrictJson.text(record, "migration"),
                StrictJson.count(record, "process"),
                StrictJson.count(record, "startTime"),
                stage.get(),
                given(record)));
      }
    } catch (NoSuchFileException none) {
      return Optional.empty();
    } catch (StrictJson.MalformedException | DurableFile.DamagedException damaged) {
      throw damaged(file, damaged);
    }
    throw damaged(file, null);
  }

  /** An agent of an earlier version did not note it. */
  private static Given given(JsonNode record) throws StrictJson.MalformedException {
    List<String> companions = new ArrayList<>();
    record.path("companions").forEach(name -> companions.add(name.asText()));
    List<Given.Window> windows = new ArrayList<>();
    for (JsonNode window : record.path("windows")) {
      windows.add(
          new Given.Window(
              StrictJson.text(window, "name"),
              StrictJson.count(window, "iova"),
              StrictJson.count(window, "size"),
              StrictJson.text(window, "file")));
    }
    OptionalInt ioas =
        record.has("ioas")
            ? OptionalInt.of((int) StrictJson.count(record, "ioas"))
            : OptionalInt.empty();
    return new Given(companions, ioas, windows);
  }

  private static ObjectNode json(TransferRecord record) {
    ObjectNode json =
        LineConnection.JSON
            .createObjectNode()
            .put("migration", record.migration())
            .put("process", record.process())
            .put("startTime", record.startTime())
            .put("stage", record.stage().name());
    ArrayNode companions = json.putArray("companions");
    record.given().companions().forEach(companions::add);
    record.given().ioas().ifPresent(ioas -> json.put("ioas", Integer.toUnsignedLong(ioas)));
    ArrayNode windows = json.putArray("windows");
    for (Given.Window window : record.given().windows()) {
      windows
          .addObject()
          .put("name", window.name())
          .put("iova", window.iova())
          .put("size", window.size())
          .put("file", window.file());
    }
    return json;
  }

  private static IOException damaged(Path file, Exception cause) {
    return new IOException(
        "the transfer record "
            + file
            + " is damaged. See whether the process that holds the device uses it or waits, and"
            + " remove the file.",
        cause);
  }

  void write(String device, TransferRecord record) throws IOException {
    DurableFile.write(file(device), LineConnection.JSON.writeValueAsBytes(json(record)));
  }

  void remove(String device) throws IOException {
    DurableFile.remove(file(device));
  }

  private Path file(String device) {
    return directory.resolve(WorkloadListener.requireId(device) + ".json");
  }
}
