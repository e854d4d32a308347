package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.linux.DiskRoom;
import dev.vfio.migration.vfio.linux.DurableFile;
import dev.vfio.migration.vfio.text.StrictJson;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * Which workload was handed a device, for which migration, and how far that has come: written to
 * the disk before the device is handed over, and kept when it was taken. An agent that comes back
 * thereby tells a holder that waits from one that uses its device, and knows of one that took it
 * before that was noted elsewhere. Removed when the device is given back, or free again and made
 * ready for another migration. One file for each device.
 */
final class TransferRecords {
  private final Path directory;

  /**
   * A device that was handed over.
   *
   * @param device its id
   * @param migration that it was handed over for
   * @param process number of the workload's process; 0 where this process cannot see it
   * @param startTime of that process; 0 where it is not known
   * @param stage how far that has come
   */
  record TransferRecord(
      String device, String migration, long process, long startTime, Stage stage) {
    TransferRecord at(Stage later) {
      return new TransferRecord(device, migration, process, startTime, later);
    }

    /** Whether the device's holder is the process that this is about, or shares it with it. */
    boolean isOf(Holder holder) {
      return holder.process() == process
          ? holder.startTime() == startTime
          : holder.together().contains(process);
    }

    boolean taken() {
      return stage == Stage.TAKEN || stage == Stage.PRESUMED;
    }

    /** Whether it holds the device, if it does, without having been told to use it. */
    boolean untold() {
      return stage == Stage.PROMISED || stage == Stage.DELIVERED;
    }
  }

  /** How far it has come with a workload. */
  enum Stage {
    /** It is to be handed the device; it need not have got it. */
    PROMISED,
    /** The device was sent to it. */
    DELIVERED,
    /** It is told to take it; it need not have heard that. */
    TOLD,
    /**
     * It was told, or was about to be, holds the device, and does not come back to say that it
     * waits: it counts as having taken it. Should it come back, it is told again.
     */
    PRESUMED,
    /** It answered that it took it. */
    TAKEN;

    static Optional<Stage> named(String name) {
      return Arrays.stream(values()).filter(stage -> stage.name().equals(name)).findFirst();
    }
  }

  /** Makes the directory where it is missing. It is for these files alone. */
  TransferRecords(Path directory) throws IOException {
    this.directory = Files.createDirectories(directory);
  }

  /** Makes sure that one more could be written. */
  void requireRoom() throws IOException {
    DiskRoom.require(directory);
  }

  /** The receipt for a device. */
  Optional<TransferRecord> of(String device) throws IOException {
    Path file = file(device);
    try {
      JsonNode receipt = StrictJson.object(DurableFile.read(file));
      Optional<Stage> stage = Stage.named(StrictJson.text(receipt, "stage"));
      if (stage.isPresent()) {
        return Optional.of(
            new TransferRecord(
                device,
                StrictJson.text(receipt, "migration"),
                StrictJson.count(receipt, "process"),
                StrictJson.count(receipt, "startTime"),
                stage.get()));
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
        "the receipt "
            + file
            + " is damaged. See whether the process that holds the device uses it or waits, and"
            + " remove the file.",
        cause);
  }

  void write(TransferRecord receipt) throws IOException {
    DurableFile.write(
        file(receipt.device()),
        LineConnection.JSON.writeValueAsBytes(
            LineConnection.JSON
                .createObjectNode()
                .put("migration", receipt.migration())
                .put("process", receipt.process())
                .put("startTime", receipt.startTime())
                .put("stage", receipt.stage().name())));
  }

  void remove(String device) throws IOException {
    DurableFile.remove(file(device));
  }

  private Path file(String device) {
    return directory.resolve(WorkloadListener.requireId(device) + ".json");
  }
}
