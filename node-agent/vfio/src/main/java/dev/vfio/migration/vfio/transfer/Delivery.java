package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.TransferRecords.Stage;
import dev.vfio.migration.vfio.transfer.TransferRecords.TransferRecord;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * The three requests to a workload that waits, each on record before it is made. Repeating one that
 * was done does nothing.
 */
final class Delivery {
  private static final System.Logger LOG = System.getLogger(Delivery.class.getName());

  private final NodeDevice place;
  private final String device;
  private final KernelWorkload.Means means;
  private final WorkloadListener desk;
  private final OpenDevices devices;
  private final Processes processes;
  private final Duration connectPatience;
  private final Duration answerPatience;

  Delivery(NodeDevice place, KernelWorkload.Means means) {
    this.place = place;
    this.device = place.id();
    this.means = means;
    this.desk = means.desk();
    this.devices = means.devices();
    this.processes = means.holders().processes();
    this.connectPatience = means.connectPatience();
    this.answerPatience = means.answerPatience();
  }

  /**
   * The workload gets the loaded device, and does not use it yet. Last moment at which one that
   * could not be told to use it, or not be moved again, can be refused: later it runs, whatever it
   * is.
   */
  void receive(String migration) throws IOException {
    desk.with(
        device,
        connectPatience,
        anybody -> true,
        workload -> {
          receive(workload, migration);
          requireFit(workload, migration);
          return null;
        });
  }

  /**
   * Makes sure, before anything is touched, that the workload that waits now is one that could have
   * the device. It is looked at again once it received it.
   */
  void requireFitToWait() throws IOException {
    desk.records().requireRoom();
    desk.with(
        device,
        Duration.ZERO,
        anybody -> true,
        workload -> {
          Optional<String> objection =
              workload.holds() == null
                  ? means.holders().objection(place, workload.peer().process())
                  : Optional.empty();
          if (objection.isPresent()) {
            throw new WorkloadClient.Refusal(
                Errno.EBUSY.number(),
                workload.described()
                    + " waits for the device "
                    + device
                    + " and cannot be given it: "
                    + objection.get()
                    + ". Nothing was done to the device.");
          }
          return null;
        });
  }

  private void requireFit(WorkloadClient workload, String migration) throws IOException {
    Optional<String> objection = objection(workload);
    if (objection.isEmpty()) {
      return;
    }
    String refusal =
        workload.described()
            + " cannot be given the device "
            + device
            + " for the migration "
            + migration
            + ": "
            + objection.get();
    try {
      workload.ask(request("give-back", migration), answerPatience);
    } catch (IOException kept) {
      throw new WorkloadException(
          Errno.EBUSY.number(),
          refusal + ". It was asked to give it back: " + kept.getMessage(),
          kept);
    }
    workload.holds(null);
    desk.records().remove(device);
    throw new WorkloadClient.Refusal(
        Errno.EBUSY.number(), refusal + ". It gave it back, and did not use it.");
  }

  /** Why a workload that received the device cannot have it. */
  private Optional<String> objection(WorkloadClient workload) {
    Optional<Holder> found;
    try {
      found = means.holder(place);
    } catch (IOException unclear) {
      return Optional.of(unclear.getMessage());
    }
    if (found.isEmpty() || !found.get().together().contains(workload.peer().process())) {
      return Optional.of(
          "it answered that it received it, and that process does not hold it (the agent needs"
              + " hostPID to see it)");
    }
    if (found.get().virtualMachineMonitor()) {
      return Optional.of(
          found.get().name()
              + " is a virtual machine monitor, which cannot go on with a state that it did not"
              + " load itself");
    }
    return found.get().otherDevices() == 0
        ? Optional.empty()
        : Optional.of(
            found.get().name()
                + " holds "
                + found.get().otherDevices()
                + " other VFIO devices. Let each workload wait for one");
  }

  private void receive(WorkloadClient workload, String migration) throws IOException {
    if (migration.equals(workload.holds())) {
      return;
    }
    if (workload.holds() != null) {
      throw failed(
          Errno.EBUSY,
          workload.described() + " holds it for the migration " + workload.holds(),
          "Nothing was handed over for " + migration + ".");
    }
    DeliverRequest manifest = manifest(migration);
    removeEarlierDeclaration();
    TransferRecord promised = receiptOf(workload, migration, Stage.PROMISED);
    desk.records().write(promised);
    try {
      workload.ask(
          manifest.request(),
          manifest.descriptors(),
          () -> desk.records().write(promised.at(Stage.DELIVERED)),
          answerPatience);
    } catch (WorkloadClient.Refusal refusal) {
      desk.records().remove(device);
      throw refusal;
    }
    workload.holds(migration);
  }

  /**
   * While the device is open here alone nobody can declare memory for it: what is there is an
   * earlier one. The folder is its workloads', who may have put anything in its place.
   */
  void removeEarlierDeclaration() throws IOException {
    Path file = desk.folder(device).resolve(WorkloadListener.MEMORY);
    try {
      Files.deleteIfExists(file);
    } catch (DirectoryNotEmptyException directory) {
      throw new WorkloadException(
          Errno.ENOTEMPTY.number(),
          "where a workload declares the memory of the device "
              + device
              + ", "
              + file
              + " is a directory with something in it. Nothing was done to the device. Remove it.",
          directory);
    }
  }

  private DeliverRequest manifest(String migration) throws WorkloadException {
    Optional<DeviceDescriptors> open = devices.open(device);
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
    Optional<DeviceWindowMemory> memory = desk.windowMemories().of(device);
    if (memory.isEmpty()) {
      throw failed(
          Errno.ENOENT,
          "the memory of its windows, loaded for the migration "
              + migration
              + ", is no more: this agent was restarted, or let go of it",
          "Nothing was handed over; without its windows the device is of no use.");
    }
    return DeliverRequest.of(device, migration, open.get(), memory.get());
  }

  private TransferRecord receiptOf(WorkloadClient workload, String migration, Stage stage)
      throws IOException {
    long process = workload.peer().process();
    return new TransferRecord(
        device, migration, process, processes.startTime(process).orElse(0), stage);
  }

  private Optional<TransferRecord> receipt(String migration) throws IOException {
    return desk.records().of(device).filter(one -> one.migration().equals(migration));
  }

  /**
   * The device runs: the workload uses it from now on, and leaves the desk. Where the one that
   * received it has died, another one that waits gets it; not so where it had taken it, or was told
   * to, for it may have gone on with the state.
   */
  void take(String migration) throws IOException {
    Optional<TransferRecord> earlier = receipt(migration);
    boolean held = isHeld();
    if (earlier.isPresent() && earlier.get().taken()) {
      leave(held, earlier.get());
      return;
    }
    if (!held && earlier.isPresent() && earlier.get().stage() == Stage.TOLD) {
      throw ended(earlier.get(), null);
    }
    try {
      desk.with(
          device,
          connectPatience,
          workload -> !held || migration.equals(workload.holds()),
          workload -> {
            boolean fresh = workload.holds() == null;
            receive(workload, migration);
            if (fresh) {
              requireFit(workload, migration);
            }
            tellToTake(workload, migration);
            return null;
          });
    } catch (WorkloadListener.NobodyWaits nobody) {
      Optional<Holder> holder = means.holder(place);
      if (holder.isPresent()) {
        takenUnheard(migration, holder.get(), nobody);
      } else if (earlier.isPresent()) {
        throw ended(earlier.get(), nobody);
      } else {
        throw nobody;
      }
    }
    Optional<TransferRecord> receipt = receipt(migration);
    if (receipt.isPresent()) {
      leave(true, receipt.get());
    }
  }

  /**
   * Who was judged before the decision may be several by now, and has the device all the same: it
   * is open here, and they have that very file.
   */
  private boolean isHeld() throws IOException {
    try {
      return means.holder(place).isPresent();
    } catch (DeviceException shared) {
      if (shared.kind() == DeviceException.Kind.BUSY && means.devices().open(device).isPresent()) {
        return true;
      }
      throw shared;
    }
  }

  /**
   * @param held where nobody holds the device any more, its socket is another workload's already
   */
  private void leave(boolean held, TransferRecord receipt) throws IOException {
    if (receipt.stage() == Stage.PRESUMED) {
      // The socket stays: it may come back there yet and have to be told.
      desk.windowMemories().release(device);
      desk.tellAgain(device, receipt.migration());
    } else if (held) {
      desk.taken(device);
    } else {
      desk.windowMemories().release(device);
    }
  }

  /**
   * The device is held, and its holder does not connect to say that it still waits. A workload that
   * was never told to take would: so it took the device, and this agent or its connection ended
   * before that was heard.
   */
  private void takenUnheard(String migration, Holder holder, IOException nobody)
      throws IOException {
    Optional<TransferRecord> receipt = receipt(migration).filter(one -> one.isOf(holder));
    if (receipt.isEmpty()) {
      throw new WorkloadException(
          Errno.EBUSY.number(),
          "the device "
              + device
              + " is held by "
              + holder.name()
              + ", which did not receive it for the migration "
              + migration
              + ". Nothing was done to the device or to that process; see what it does with it.",
          nobody);
    }
    if (receipt.get().untold()) {
      throw notBack(receipt.get(), nobody);
    }
    LOG.log(
        System.Logger.Level.WARNING,
        "the holder of the device "
            + device
            + " did not confirm that it took it for the migration "
            + migration
            + ", and does not say that it waits: it counts as having taken it, and is told again"
            + " should it come back");
    desk.records().write(receipt.get().at(Stage.PRESUMED));
  }

  private WorkloadException notBack(TransferRecord receipt, IOException nobody) {
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
            + WorkloadListener.within(connectPatience)
            + ". It was not told to use the device, or did not say that it does; see whether it"
            + " hangs.",
        nobody);
  }

  /**
   * Looks whether the workload is there that received the device and waits to be told to take it.
   * Asks nothing of it: that its process lives and that it is connected is enough.
   *
   * @throws WorkloadException ESRCH where it has ended, ETIMEDOUT where it is not connected now
   */
  void requireReceiver(String migration) throws IOException {
    Optional<TransferRecord> receipt = receipt(migration);
    boolean connected = desk.isHeldFor(device, migration);
    if (receipt.isPresent()
        && receipt.get().process() != 0
        && !processes.lives(receipt.get().process(), receipt.get().startTime())) {
      throw new WorkloadException(
          Errno.ESRCH.number(),
          "process "
              + receipt.get().process()
              + ", which received the device "
              + device
              + " for the migration "
              + migration
              + ", has ended before it was told to take it",
          null);
    }
    if (!connected) {
      throw new WorkloadException(
          Errno.ETIMEDOUT.number(),
          "the workload that received the device "
              + device
              + " for the migration "
              + migration
              + " is not connected to "
              + desk.socket(device)
              + ", so it cannot be told to take it; see whether it runs",
          null);
    }
  }

  /** What became of a device whose receiver is gone. */
  WorkloadException ended(TransferRecord receipt, IOException nobody) {
    return new WorkloadException(
        Errno.ESRCH.number(),
        "process "
            + receipt.process()
            + (!receipt.untold()
                ? (receipt.taken() ? " took" : " was told to take")
                    + " the device "
                    + device
                    + " for the migration "
                    + receipt.migration()
                    + " and has ended since. What it went on with ended with it, and the device is"
                    + " handed to nobody else; start the workload anew."
                : " was handed the device "
                    + device
                    + " for the migration "
                    + receipt.migration()
                    + " and is gone, and nobody else waits for it at "
                    + desk.socket(device)
                    + WorkloadListener.within(connectPatience)
                    + ". Start another workload that waits there: it gets the device for as long as"
                    + " this agent has it open."),
        nobody);
  }

  /** What could not be sent it was not told: it may die, and another one gets the device. */
  void tellToTake(WorkloadClient workload, String migration) throws IOException {
    Optional<TransferRecord> known = receipt(migration);
    TransferRecord before =
        known.isPresent() ? known.get() : receiptOf(workload, migration, Stage.DELIVERED);
    desk.records().write(before.at(Stage.TOLD));
    AtomicBoolean sent = new AtomicBoolean();
    try {
      workload.ask(takeRequest(migration), List.of(), () -> sent.set(true), answerPatience);
    } catch (WorkloadClient.Refusal refusal) {
      desk.records().write(before);
      throw refusal;
    } catch (IOException silent) {
      if (!sent.get()) {
        desk.records().write(before);
      }
      throw silent;
    }
    desk.records().write(before.at(Stage.TAKEN));
    workload.holds(null);
  }

  /**
   * Rolled back: the workload lets go of everything and waits on. Where none was handed the device
   * for that migration nothing is waited for, and whoever holds the device is left alone.
   */
  void giveBack(String migration) throws IOException {
    desk.windowMemories().release(device);
    Optional<TransferRecord> receipt = receipt(migration);
    boolean mayHold = receipt.isPresent() && mayHold(receipt.get());
    if (mayHold && receipt.get().taken()) {
      throw new WorkloadException(
          Errno.EBUSY.number(),
          "process "
              + receipt.get().process()
              + " took the device "
              + device
              + " for the migration "
              + migration
              + " and uses it. It was not asked to give it back; end it first.",
          null);
    }
    if (mayHold || desk.isHeldFor(device, migration)) {
      askBack(migration, mayHold ? receipt : Optional.empty());
    }
    if (receipt.isPresent()) {
      desk.records().remove(device);
    }
  }

  /**
   * One that was sent the device may find it in its socket later; one that was not must hold it.
   */
  private boolean mayHold(TransferRecord receipt) throws IOException {
    boolean sent = receipt.stage() == Stage.DELIVERED || receipt.stage() == Stage.TOLD;
    return sent
        ? receipt.process() == 0 || processes.lives(receipt.process(), receipt.startTime())
        : means.holder(place).filter(receipt::isOf).isPresent();
  }

  private void askBack(String migration, Optional<TransferRecord> living) throws IOException {
    try {
      desk.with(
          device,
          living.isPresent() ? connectPatience : Duration.ZERO,
          workload ->
              migration.equals(workload.holds())
                  || living.isPresent() && workload.peer().process() == living.get().process(),
          workload -> {
            // One that says that it holds nothing never got the message.
            if (migration.equals(workload.holds())) {
              workload.ask(request("give-back", migration), answerPatience);
              workload.holds(null);
            }
            return null;
          });
    } catch (WorkloadListener.NobodyWaits nobody) {
      if (living.isPresent() && processes.lives(living.get().process(), living.get().startTime())) {
        throw notBack(living.get(), nobody);
      }
    }
  }

  static ObjectNode takeRequest(String migration) {
    return request("take", migration);
  }

  private static ObjectNode request(String operation, String migration) {
    return LineConnection.JSON.createObjectNode().put("op", operation).put("migration", migration);
  }

  private WorkloadException failed(Errno errno, String why, String done) {
    return new WorkloadClient.Refusal(
        errno.number(), "the device " + device + " cannot be handed over: " + why + ". " + done);
  }
}
