package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.freezer.Cgroups;
import dev.vfio.migration.vfio.freezer.Freezer;
import dev.vfio.migration.vfio.freezer.FreezerLedger;
import dev.vfio.migration.vfio.freezer.TestCgroup;
import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Holders;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.PassedDescriptors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/** One agent at a node of stand-ins: what a workload is reached by, and a device that it opens. */
final class TransferFixture implements AutoCloseable {
  static final String MIGRATION = "uid-1/1";

  /** Longer than any test may take: who waits for its end is ended by the limit of the test. */
  static final Duration LONG = Duration.ofMinutes(5);

  static final Duration SHORT = Duration.ofMillis(300);
  static final int PAGE = 4096;

  final StandInNode node;
  final Holders holders;
  final Freezer freezer;
  final FreezerLedger ledger;
  private final Path folder;
  private WorkloadListener listener;
  private volatile DeviceDescriptors open;
  NodeDevice device;

  TransferFixture(Path folder) throws IOException {
    this.folder = folder;
    this.node = new StandInNode(folder);
    this.device = node.device();
    this.holders = node.holders();
    this.ledger = new FreezerLedger(folder.resolve("ledger"));
    Path cgroups = TestCgroup.root();
    this.freezer =
        new Freezer(
            new Cgroups(cgroups == null ? folder : cgroups, holders.processes()),
            holders.processes(),
            ledger,
            LONG);
    startListener();
  }

  private void startListener() throws IOException {
    listener =
        new WorkloadListener(
            folder.resolve("devices"),
            folder.resolve("records"),
            LONG,
            user -> false,
            (id, process) -> {
              DeviceDescriptors here = open;
              return (here == null ? holders.of(device) : holders.of(device, here.device()))
                  .filter(holder -> holder.together().contains(process))
                  .isPresent();
            });
  }

  WorkloadListener listener() {
    return listener;
  }

  Path socket() {
    return listener.socket(StandInNode.ID);
  }

  Path memoryFile() throws IOException {
    return Files.createDirectories(listener.folder(StandInNode.ID))
        .resolve(WorkloadListener.MEMORY);
  }

  /** Opens the device as a destination does; without windows where none were made ready. */
  void openDevice() throws IOException {
    if (listener.windowMemories().of(StandInNode.ID).isEmpty()) {
      listener.windowMemories().make(StandInNode.ID, List.of());
    }
    Map<String, Descriptor> companions = new LinkedHashMap<>();
    companions.put("group", PassedDescriptors.open(node.group(node.group()), true));
    companions.put("container", PassedDescriptors.open(StandInNode.CONTAINER, true));
    open =
        new DeviceDescriptors(
            PassedDescriptors.open(node.deviceFile(), true),
            companions,
            OptionalInt.empty(),
            MigrationInterface.FEATURE_V2);
  }

  /**
   * Opens the device by its own node, as a destination does.
   *
   * @param ioas its address space
   */
  void openDeviceByNode(int ioas) throws IOException {
    open =
        new DeviceDescriptors(
            PassedDescriptors.open(node.deviceFile(), true),
            Map.of("iommufd", PassedDescriptors.open(StandInNode.IOMMUFD, true)),
            OptionalInt.of(ioas),
            MigrationInterface.FEATURE_V2);
  }

  /** What is open of the device. */
  DeviceDescriptors opened() {
    return open;
  }

  /** Opens the device as a source does: the holder's open file. */
  void adoptDevice() throws IOException {
    open =
        new DeviceDescriptors(
            holders.adopt(holder()), Map.of(), OptionalInt.empty(), MigrationInterface.FEATURE_V2);
  }

  void closeDevice() {
    if (open != null) {
      open.device().close();
      open.companions().values().forEach(Descriptor::close);
      open = null;
    }
  }

  /** The agent is killed and started: what it had open is gone, its files are there. */
  void restartAgent() throws IOException {
    closeDevice();
    listener.close();
    startListener();
    listener.offer(StandInNode.ID);
  }

  Holder holder() throws IOException {
    return holders.of(device).orElseThrow();
  }

  KernelWorkload workload(Duration timeout) {
    return workload(timeout, LONG);
  }

  KernelWorkload workload(Duration connectTimeout, Duration answerTimeout) {
    return new KernelWorkload(device, parts(connectTimeout, answerTimeout));
  }

  /** What a transfer finds out about the device. */
  DeviceLookups lookups() {
    return new KernelDeviceLookups(device, parts(LONG, LONG));
  }

  private KernelWorkload.NodeParts parts(Duration connectTimeout, Duration answerTimeout) {
    return new KernelWorkload.NodeParts(
        holders,
        freezer,
        listener,
        id -> Optional.ofNullable(open),
        PAGE,
        connectTimeout,
        answerTimeout);
  }

  @Override
  public void close() throws InterruptedException {
    closeDevice();
    listener.close();
    node.close();
  }
}
