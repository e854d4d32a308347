package dev.vfio.migration.vfio.handover;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.handover.Receipts.Receipt;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.inventory.NodeDevice;
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

  private final NodeDevice place;
  private final String device;
  private final Holders holders;
  private final HandoverDesk desk;
  private final OpenDevices devices;
  private final Processes processes;
  private final Duration connectPatience;
  private final Duration answerPatience;

  Delivery(NodeDevice place, KernelWorkload.Means means) {
    this.place = place;
    this.device = place.id();
    this.holders = means.holders();
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
        anybody -> true,
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
   * The device runs: the workload uses it from now on, and leaves the desk. Where the one that
   * received it has died, another one that waits gets it.
   */
  void take(String migration) throws IOException {
    boolean held = holders.of(place).isPresent();
    try {
      desk.with(
          device,
          connectPatience,
          workload -> !held || migration.equals(workload.holds()),
          workload -> {
            receive(workload, migration);
            tellToTake(workload, migration);
            finish();
            return null;
          });
    } catch (HandoverDesk.NobodyWaits nobody) {
      if (!held || holders.of(place).isEmpty()) {
        throw nobody;
      }
      takenUnheard(migration, nobody);
    }
  }

  /**
   * The device is held, and its holder does not connect to say that it still waits. A workload that
   * was never told to take would: so it took the device, and this agent or its connection ended
   * before that was heard.
   */
  private void takenUnheard(String migration, IOException nobody) throws IOException {
    Optional<Receipt> receipt = desk.receipts().of(device);
    if (receipt.isPresent() && !receipt.get().told()) {
      throw notBack(receipt.get(), nobody);
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "the holder of the device "
            + device
            + " did not confirm that it took it for the migration "
            + migration
            + ", and does not say that it waits: it counts as having taken it");
    finish();
  }

  private WorkloadException notBack(Receipt receipt, IOException nobody) {
    return new WorkloadException(
        Errno.ETIMEDOUT.number(),
        "process "
            + receipt.process()
            + " received the device "
            + device
            + " for the migration "
            + receipt.migration()
            + " and did not connect again to "
            + desk.socket(device)
            + " within "
            + connectPatience.toMillis()
            + " ms. It holds the device and was not told to use it; see whether it hangs.",
        nobody);
  }

  private void finish() throws IOException {
    desk.receipts().remove(device);
    desk.taken(device);
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

  /** Rolled back: the workload lets go of everything and waits on. */
  void giveBack(String migration) throws IOException {
    Optional<Receipt> receipt = desk.receipts().of(device);
    boolean lives =
        receipt.isPresent()
            && (receipt.get().process() == 0
                || processes.lives(receipt.get().process(), receipt.get().startTime()));
    try {
      desk.with(
          device,
          lives ? connectPatience : Duration.ZERO,
          workload ->
              migration.equals(workload.holds())
                  || lives && workload.peer().process() == receipt.get().process(),
          workload -> {
            // One that says that it holds nothing never got the message.
            if (migration.equals(workload.holds())) {
              workload.ask(request("give-back", migration), List.of(), answerPatience);
              workload.holds(null);
            }
            return null;
          });
    } catch (HandoverDesk.NobodyWaits nobody) {
      if (lives && processes.lives(receipt.get().process(), receipt.get().startTime())) {
        throw notBack(receipt.get(), nobody);
      }
    }
    desk.receipts().remove(device);
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
