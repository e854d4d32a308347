package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.freezer.Freezer;
import dev.vfio.migration.vfio.freezer.FreezerLedger;
import dev.vfio.migration.vfio.holder.GivenFiles;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.machine.Given;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The workload of a kernel device: the process that holds it, or the one that waits for it at its
 * socket. Which of the two is found anew at each call, by who holds the device.
 *
 * <p>A workload that holds its device knows nothing of the migration: it is made to stand still by
 * the freezer, and killed once the handover is committed. One that waits takes part, by the
 * transfer protocol.
 */
public final class KernelWorkload implements Workload {
  private static final System.Logger LOG = System.getLogger(KernelWorkload.class.getName());

  private final NodeDevice device;
  private final NodeParts parts;
  private final WorkloadListener listener;
  private final DeviceLookups lookups;
  private DeclaredMemory declared;

  /** The migration that this took the device for; null where it did not. */
  private String tookFor;

  /** Whether this takes part in a destination, and does not only look. */
  private boolean takesPart;

  /**
   * What a kernel device's workload is reached by; one for all devices.
   *
   * @param holders finds who holds a device
   * @param freezer makes them stand still
   * @param listener where workloads wait
   * @param devices that are open in this process
   * @param pageSize bytes
   * @param connectTimeout for a workload to connect to the socket
   * @param answerTimeout for one that waits to do what it is asked
   */
  public record NodeParts(
      Holders holders,
      Freezer freezer,
      WorkloadListener listener,
      OpenDevices devices,
      int pageSize,
      Duration connectTimeout,
      Duration answerTimeout) {

    /**
     * Who holds a device. While it is open in this process that is who has the very same open file,
     * and nobody else, whatever they have open that looks like it.
     *
     * @return empty where nobody does, this process apart
     */
    Optional<Holder> holder(NodeDevice device) throws DeviceException {
      Optional<DeviceDescriptors> open = devices.open(device.id());
      return open.isPresent() ? holders.of(device, open.get().device()) : holders.of(device);
    }
  }

  /** Does no I/O. */
  public KernelWorkload(NodeDevice device, NodeParts parts) {
    this.device = device;
    this.parts = parts;
    this.listener = parts.listener();
    this.lookups = new KernelDeviceLookups(device, parts);
  }

  /**
   * The workload's state by who holds the device: RUNNING or PAUSED where a process uses it,
   * WAITING where one waits for it.
   *
   * @throws WorkloadException where a virtual machine holds the device, where nobody uses it or
   *     waits for it, or where the workload took it and died
   */
  @Override
  public WorkloadDescription describe() throws IOException {
    Optional<Holder> owner = owner();
    if (owner.isPresent()) {
      return running(owner.get());
    }
    Optional<FreezerLedger.Entry> frozen = parts.freezer().frozenFor(device.id());
    if (frozen.isPresent()) {
      throw died(frozen.get());
    }
    Optional<TransferRecord> record = listener.records().of(device.id());
    if (record.isPresent() && record.get().taken() && record.get().migration().equals(tookFor)) {
      throw ended(record.get(), Duration.ZERO);
    }
    String name;
    try {
      name = listener.await(device.id(), parts.connectTimeout()).name();
    } catch (WorkloadListener.NobodyWaits nobody) {
      // The record of a device that this agent does not have open is of an earlier migration.
      boolean open = parts.devices().open(device.id()).isPresent();
      if (open && record.isPresent() && parts.holder(device).isEmpty()) {
        throw ended(record.get(), parts.connectTimeout());
      }
      throw nobody;
    }
    return new WorkloadDescription(
        name,
        WorkloadState.WAITING,
        device.id(),
        listener
            .windowMemories()
            .of(device.id())
            .map(DeviceWindowMemory::windows)
            .orElse(List.of()));
  }

  @Override
  public WorkloadState state() throws IOException {
    Optional<Holder> holder;
    try {
      holder = parts.holder(device);
    } catch (DeviceException shared) {
      if (shared.kind() == DeviceException.Kind.BUSY
          && parts.devices().open(device.id()).isPresent()) {
        // Those who have the very file that is open here: held, though not by one workload.
        return WorkloadState.RUNNING;
      }
      throw shared;
    }
    return holder.isEmpty() || listener.waits(holder.get())
        ? describe().state()
        : stateOf(holder.get());
  }

  private WorkloadState stateOf(Holder holder) throws IOException {
    return parts.freezer().standsStill(holder) ? WorkloadState.PAUSED : WorkloadState.RUNNING;
  }

  private WorkloadDescription running(Holder holder) throws IOException {
    Path file = listener.folder(device.id()).resolve(WorkloadListener.MEMORY);
    Processes processes = parts.holders().processes();
    if (declared == null || !declared.isStill(file, holder)) {
      DeclaredMemory now =
          DeclaredMemory.of(
              file, holder, processes, parts.pageSize(), listener.declarationWriters());
      forgetMemory();
      declared = now;
    }
    WorkloadState state = stateOf(holder);
    if (state == WorkloadState.RUNNING) {
      // Not first where it is to stand still: the destination holds its state by then.
      parts.freezer().requireFreezable(holder);
    }
    return new WorkloadDescription(declared.workload(), state, device.id(), declared.windows());
  }

  /** Who uses the device: a holder that did not merely receive it. Never a virtual machine's. */
  private Optional<Holder> owner() throws IOException {
    Optional<Holder> holder = parts.holder(device);
    if (holder.isEmpty() || listener.waits(holder.get())) {
      return Optional.empty();
    }
    if (holder.get().virtualMachineMonitor()) {
      throw failure(
          Errno.EBUSY,
          "the device %s is held by %s, a virtual machine monitor, which keeps part of the device's"
              + " state in its own memory: moved behind its back the guest would break. Nothing was"
              + " done to it. Migrate the virtual machine by its monitor's own means.",
          device.id(),
          holder.get().name());
    }
    if (holder.get().otherDevices() > 0) {
      throw failure(
          Errno.EBUSY,
          "%s holds the device %s and %s other VFIO devices, whose state would end with it when"
              + " this one is moved. Nothing was done to it. Workloads with one device are moved.",
          holder.get().name(),
          device.id(),
          holder.get().otherDevices());
    }
    return holder;
  }

  private WorkloadException ended(TransferRecord record, Duration waited) {
    return WorkloadListener.exception(listener.failures(device.id()).ended(record, waited));
  }

  private static WorkloadException failure(Errno errno, String message, Object... facts) {
    return new WorkloadException(errno.number(), String.format(message, facts), null);
  }

  private void request(Kind kind, String migration) throws IOException {
    listener.request(
        device.id(),
        new TransferRequest(kind, migration, parts.connectTimeout(), parts.answerTimeout()),
        lookups);
  }

  private WorkloadException died(FreezerLedger.Entry frozen) {
    return failure(
        Errno.ESRCH,
        "process %s, which held the device %s, died while its cgroup %s was frozen for the"
            + " migration %s. The device's state, as this agent holds it, cannot be given to"
            + " anybody, and is lost once the migration is rolled back. Start the workload anew.",
        frozen.process(),
        device.id(),
        frozen.cgroup(),
        frozen.migration());
  }

  @Override
  public WorkloadDescription prepareWindowMemory(List<WindowShape> shapes) throws IOException {
    if (owner().isPresent()) {
      return describe();
    }
    takesPart = true;
    Optional<String> reserved = ReservedAddresses.objection(device, shapes);
    if (reserved.isPresent()) {
      throw failure(
          Errno.EINVAL,
          "the device %s could not be used with the memory of its workload: %s. Nothing was done to"
              + " the device. Choose another node, or let the workload have its memory elsewhere.",
          device.id(),
          reserved.get());
    }
    Optional<DeviceDescriptors> open = parts.devices().open(device.id());
    if (open.isPresent()) {
      WorkloadRequest.requireFits(device.id(), open.get(), shapes.size());
      lookups.removeEarlierDeclaration();
    }
    // Another migration: what became of the device before does not matter any more.
    request(Kind.FORGET, null);
    listener.windowMemories().make(device.id(), shapes);
    boolean described = false;
    try {
      WorkloadDescription description = describe();
      if (description.state() == WorkloadState.WAITING) {
        request(Kind.REQUIRE_FIT, null);
      }
      described = true;
      return description;
    } finally {
      if (!described) {
        listener.windowMemories().release(device.id());
      }
    }
  }

  @Override
  public void pause(String migration) throws IOException {
    Holder holder =
        owner()
            .orElseThrow(
                () ->
                    failure(
                        Errno.ESRCH,
                        "nobody holds the device %s any more: its workload died while the migration"
                            + " %s was under way. Nothing was frozen.",
                        device.id(),
                        migration));
    parts.freezer().freeze(holder, migration);
  }

  @Override
  public void resume(String migration) throws IOException {
    Optional<FreezerLedger.Entry> frozen = frozenFor(migration);
    parts.freezer().thaw(device.id());
    if (frozen.isPresent()) {
      FreezerLedger.Entry entry = frozen.get();
      if (!parts.holders().processes().lives(entry.process(), entry.startTime())) {
        throw died(entry);
      }
    } else if (parts.holder(device).isEmpty()) {
      throw failure(
          Errno.ESRCH,
          "nobody holds the device %s any more: its workload died during the migration %s. There is"
              + " nothing left to resume; start it anew.",
          device.id(),
          migration);
    }
  }

  /** What one migration has frozen, no other thaws or kills: its device may run elsewhere. */
  private Optional<FreezerLedger.Entry> frozenFor(String migration) throws IOException {
    Optional<FreezerLedger.Entry> frozen = parts.freezer().frozenFor(device.id());
    if (frozen.isPresent() && !frozen.get().migration().equals(migration)) {
      throw failure(
          Errno.EBUSY,
          "the cgroup %s of the workload of %s is frozen for the migration %s, not for %s. It stays"
              + " as it is.",
          frozen.get().cgroup(),
          device.id(),
          frozen.get().migration(),
          migration);
    }
    return frozen;
  }

  /**
   * Kills what is frozen, without letting it run once more. Nothing where nothing is frozen for
   * this device: it was done before.
   */
  @Override
  public void release(String migration) throws IOException {
    Optional<FreezerLedger.Entry> frozen = frozenFor(migration);
    if (frozen.isPresent()) {
      parts.freezer().kill(device.id());
      Files.deleteIfExists(listener.folder(device.id()).resolve(WorkloadListener.MEMORY));
    }
  }

  @Override
  public void deliver(String migration) throws IOException {
    takesPart = true;
    request(Kind.DELIVER, migration);
  }

  @Override
  public void regain(String migration) {
    Optional<DeviceDescriptors> open = parts.devices().open(device.id());
    if (open.isPresent()
        && open.get().companions().isEmpty()
        && listener.windowMemories().of(device.id()).isEmpty()) {
      try {
        regain(migration, open.get());
      } catch (IOException problem) {
        LOG.log(
            System.Logger.Level.WARNING,
            String.format(
                "the device %s holds what was loaded for the migration %s, and what an earlier"
                    + " agent gave its workload beside it could not be taken back: %s. Nothing was"
                    + " done to either. The workload can take the device all the same; another one"
                    + " could not, should it end before that.",
                device.id(), migration, problem.getMessage()));
      }
    }
  }

  /** Who was told to take the device is the only one that ever gets it. */
  private void regain(String migration, DeviceDescriptors open) throws IOException {
    Optional<TransferRecord> record =
        listener
            .records()
            .of(device.id())
            .filter(found -> found.migration().equals(migration))
            .filter(TransferRecord::untold);
    if (record.isEmpty() || record.get().given().companions().isEmpty()) {
      return;
    }
    Given given = record.get().given();
    takesPart = true;
    listener
        .windowMemories()
        .keep(
            device.id(),
            DeviceWindowMemory.regained(
                given,
                parts
                    .holders()
                    .given()
                    .of(
                        record.get().process(),
                        record.get().startTime(),
                        new GivenFiles.Wanted(
                            device,
                            open.device(),
                            given.companions(),
                            given.windows().stream().map(Given.Window::file).toList()))));
  }

  @Override
  public void requireReadyToTake(String migration) throws IOException {
    request(Kind.REQUIRE_RECEIVER, migration);
  }

  @Override
  public void take(String migration) throws IOException {
    takesPart = true;
    request(Kind.TAKE, migration);
    tookFor = migration;
  }

  @Override
  public void giveBack(String migration) throws IOException {
    takesPart = true;
    request(Kind.GIVE_BACK, migration);
  }

  private void forgetMemory() {
    if (declared != null) {
      declared.close();
      declared = null;
    }
  }

  /**
   * Releases memory that was duplicated, and what was made for windows where the device is closed:
   * then nothing can be transferred any more. While the device is open its migration may go on with
   * another object. Changes nothing about the workload.
   */
  @Override
  public void close() {
    forgetMemory();
    if (takesPart && parts.devices().open(device.id()).isEmpty()) {
      listener.windowMemories().release(device.id());
    }
  }
}
