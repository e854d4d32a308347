package dev.vfio.migration.vfio.handover;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.linux.DurableFile;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Which workloads were handed a device and have not confirmed that they took it: written to the
 * disk before the device is handed over, removed once it is taken or given back. An agent that
 * comes back thereby tells a holder that waits from one that uses its device. One file for each
 * device.
 */
final class Receipts {
  private final Path directory;

  /**
   * A device that was handed over.
   *
   * @param device its id
   * @param migration that it was handed over for
   * @param process number of the workload's process; 0 where this process cannot see it
   * @param startTime of that process; 0 where it is not known
   * @param told whether it was told to take it
   */
  record Receipt(String device, String migration, long process, long startTime, boolean told) {
    Receipt toldToTake(boolean told) {
      return new Receipt(device, migration, process, startTime, told);
    }
  }

  /** Makes the directory where it is missing. It is for these files alone. */
  Receipts(Path directory) throws IOException {
    this.directory = Files.createDirectories(directory);
  }

  /** The receipt for a device. */
  Optional<Receipt> of(String device) throws IOException {
    Path file = file(device);
    try {
      JsonNode receipt = LineConnection.JSON.readTree(Files.readString(file));
      if (receipt.path("migration").isTextual() && receipt.path("process").isIntegralNumber()) {
        return Optional.of(
            new Receipt(
                device,
                receipt.path("migration").asText(),
                receipt.path("process").asLong(),
                receipt.path("startTime").asLong(),
                receipt.path("told").asBoolean()));
      }
    } catch (NoSuchFileException none) {
      return Optional.empty();
    } catch (JsonProcessingException damaged) {
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

  void write(Receipt receipt) throws IOException {
    DurableFile.write(
        file(receipt.device()),
        LineConnection.JSON.writeValueAsBytes(
            LineConnection.JSON
                .createObjectNode()
                .put("migration", receipt.migration())
                .put("process", receipt.process())
                .put("startTime", receipt.startTime())
                .put("told", receipt.told())));
  }

  void remove(String device) throws IOException {
    DurableFile.remove(file(device));
  }

  private Path file(String device) {
    return directory.resolve(HandoverDesk.requireId(device) + ".json");
  }
}
