package dev.vfio.migration.vfio.handover;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.handover.Receipts.Receipt;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The three requests to a workload that waits, each on record before it is made. Repeating one that
 * was done does nothing.
 */
final class Delivery {
  private static final System.Logger LOG = System.getLogger(Delivery.class.getName());

  private final String device;
  private final HandoverDesk desk;
  private final OpenDevices devices;
  private final Processes processes;
  private final Duration connectPatience;
  private final Duration answerPatience;

  Delivery(String device, KernelWorkload.Means means) {
    this.device = device;
    this.desk = means.desk();
    this.devices = means.devices();
    this.processes = means.holders().processes();
    this.connectPatience = means.connectPatience();
    this.answerPatience = means.answerPatience();
  }

  /** The workload gets the loaded device, and does not use it yet. */
  void receive(String migration) throws IOException {
    desk.with(
        device,
        connectPatience,
        workload -> {
          receive(workload, migration);
          return null;
        });
  }

  private void receive(WaitingWorkload workload, String migration) throws IOException {
    if (migration.equals(workload.holds())) {
      return;
    }
    if (workload.holds() != null) {
      throw failed(
          Errno.EBUSY,
          workload.described() + " holds it for the migration " + workload.holds(),
          "Nothing was handed over for " + migration + ".");
    }
    Manifest manifest = manifest(migration);
    // While the device is open here alone nobody can declare memory for it: this is an earlier one.
    Files.deleteIfExists(desk.folder(device).resolve(HandoverDesk.MEMORY));
    long process = workload.peer().process();
    desk.receipts()
        .write(
            new Receipt(device, migration, process, processes.startTime(process).orElse(0), false));
    try {
      workload.ask(manifest.request(), manifest.descriptors(), answerPatience);
    } catch (WaitingWorkload.Refusal refusal) {
      desk.receipts().remove(device);
      throw refusal;
    }
    workload.holds(migration);
  }

  private Manifest manifest(String migration) throws WorkloadException {
    Optional<HandedOver> open = devices.open(device);
    if (open.isEmpty()) {
      throw failed(
          Errno.ENODEV,
          "it is not open in this agent: what was loaded for the migration "
              + migration
              + " is lost, unless a workload holds it",
          "Nothing was handed over.");
    }
    if (open.get().companions().isEmpty()) {
      throw failed(
          Errno.ENODEV,
          "it was adopted from a workload that is gone, and without its group or iommufd no other"
              + " workload can use it",
          "Nothing was handed over for " + migration + ".");
    }
    return Manifest.of(
        device, migration, open.get(), desk.accommodation(device).orElseGet(Accommodation::none));
  }

  /**
   * The device runs: the workload uses it from now on, and leaves the desk. Another one may wait by
   * now than the one that received it and died.
   *
   * @param held whether somebody else than this process holds the device
   */
  void take(String migration, boolean held) throws IOException {
    Optional<Receipt> receipt = desk.receipts().of(device);
    if (held && receipt.isEmpty()) {
      // It confirmed that it took the device, and this agent ended before it had noted that.
      desk.taken(device);
      return;
    }
    try {
      desk.with(
          device,
          connectPatience,
          workload -> {
            receive(workload, migration);
            tellToTake(workload, migration);
            desk.receipts().remove(device);
            desk.taken(device);
            return null;
          });
    } catch (HandoverDesk.NobodyWaits nobody) {
      boolean took = held && receipt.isPresent() && receipt.get().told();
      if (!took) {
        throw nobody;
      }
      // Told to take, alive, and not back to say that it still holds: its answer was lost.
      LOG.log(
          System.Logger.Level.WARNING,
          "process "
              + receipt.get().process()
              + " was told to take the device "
              + device
              + " for the migration "
              + migration
              + ", did not confirm it and did not connect again: it counts as having taken it");
      desk.receipts().remove(device);
      desk.taken(device);
    }
  }

  private void tellToTake(WaitingWorkload workload, String migration) throws IOException {
    Optional<Receipt> receipt = desk.receipts().of(device);
    if (receipt.isPresent()) {
      desk.receipts().write(receipt.get().toldToTake(true));
    }
    try {
      workload.ask(request("take", migration), List.of(), answerPatience);
    } catch (WaitingWorkload.Refusal refusal) {
      if (receipt.isPresent()) {
        desk.receipts().write(receipt.get());
      }
      throw refusal;
    }
    workload.holds(null);
  }

  /**
   * Rolled back: the workload lets go of everything and waits on.
   *
   * @param held whether somebody else than this process holds the device
   */
  void giveBack(String migration, boolean held) throws IOException {
    if (held || desk.receipts().of(device).isPresent()) {
      if (held) {
        desk.with(
            device,
            connectPatience,
            workload -> {
              if (migration.equals(workload.holds())) {
                workload.ask(request("give-back", migration), List.of(), answerPatience);
                workload.holds(null);
              }
              return null;
            });
      }
      desk.receipts().remove(device);
    }
    desk.vacate(device);
  }

  private static ObjectNode request(String operation, String migration) {
    return LineConnection.JSON.createObjectNode().put("op", operation).put("migration", migration);
  }

  private WorkloadException failed(Errno errno, String why, String done) {
    return new WorkloadException(
        errno.number(),
        "the device " + device + " cannot be handed over: " + why + ". " + done,
        null);
  }
}
