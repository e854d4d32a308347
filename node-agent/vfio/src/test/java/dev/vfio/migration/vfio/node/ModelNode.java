package dev.vfio.migration.vfio.node;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.access.RegionInfoBytes;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.inventory.SysfsTree;
import dev.vfio.migration.vfio.kernel.ModelNodes;
import dev.vfio.migration.vfio.kernel.NodeChoice;
import dev.vfio.migration.vfio.kernel.VfioModel;
import dev.vfio.migration.vfio.linux.InterceptedCalls;
import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;

/**
 * A node with one PCI device: a sysfs made for the test, a model of VFIO behind the system calls,
 * and real processes that hold the device.
 */
final class ModelNode implements AutoCloseable {
  static final String ID = StandInNode.ID;
  static final int PAGE = 4096;
  static final Duration TURN_TIMEOUT = Duration.ofMillis(200);
  private static final String CHARACTER_DEVICE = "vfio0";
  private static final int RUNNING_2018 = 1;
  private static final int RUNNING_V1 = 1;
  private static final int MIGRATION = 1;
  private static final int DEVICE_STATE = 2;
  private static final long ALL_FLAGS = 7;
  private static final long NO_DATA_FILE = -1L << 32;
  private static final int RUNNING_V2 = 2;
  private static final int STOP_V2 = 1;

  private final Path folder;
  private final StandInNode processes;
  private final SysfsTree sysfs;
  private final VfioModel model;
  private final AtomicLong clock = new AtomicLong(1);

  /** Migrations that whoever holds the device was given it for. */
  final Set<String> received = new HashSet<>();

  ModelNode(Path folder) throws IOException {
    this.folder = folder;
    this.processes = new StandInNode(folder);
    this.sysfs = new SysfsTree(folder);
    this.model = new VfioModel(devices(), ID);
    model.group(processes.group());
    Files.createFile(devices().resolve(Integer.toString(processes.group())));
    Files.createFile(devices().resolve("vfio"));
    Files.createFile(devices().resolveSibling("iommu"));
    make(ID);
  }

  /** What stands for {@code /dev/vfio}. */
  Path devices() {
    return folder.resolve("dev/vfio");
  }

  private void make(String id) throws IOException {
    String[] ids = StandInNode.IDS.split("[: ]");
    Path device =
        sysfs.pci(
            id,
            Map.of(
                "vendor", "0x" + ids[0],
                "device", "0x" + ids[1],
                "subsystem_vendor", "0x" + ids[2],
                "subsystem_device", "0x" + ids[3]));
    sysfs.bind(device, "pci", "some-vfio-pci");
    sysfs.group(device, processes.group());
  }

  /** Another device of the same kind takes its place. */
  void makeAnew() throws IOException {
    remove();
    make(ID);
  }

  void makeAnother(String id) throws IOException {
    make(id);
  }

  void remove() throws IOException {
    Path link = sysfs.root().resolve("bus/pci/devices").resolve(ID);
    Path before = link.toRealPath();
    // Not deleted: its place on the disk could be the next one's, and they would be one.
    Files.move(before, before.resolveSibling("removed"));
    Files.delete(link);
  }

  /** Binds it to plain {@code vfio-pci}. */
  void bindToPlainDriver() throws IOException {
    Path device = sysfs.root().resolve("bus/pci/devices").resolve(ID).toRealPath();
    Files.delete(device.resolve("driver"));
    sysfs.bind(device, "pci", "vfio-pci");
  }

  VfioModel model() {
    return model;
  }

  StandInNode processes() {
    return processes;
  }

  SysfsDevices inventory() {
    return new SysfsDevices(sysfs.root(), devices());
  }

  KernelDirectory directory() {
    return directory(NodeChoice.AUTO);
  }

  KernelDirectory directory(NodeChoice choice) {
    return directory(choice, (holder, migration) -> received.contains(migration));
  }

  KernelDirectory directory(NodeChoice choice, KernelDirectory.TransferCheck transfers) {
    return new KernelDirectory(
        inventory(),
        processes.holders(),
        transfers,
        devices(),
        choice,
        PAGE,
        TURN_TIMEOUT,
        clock::get);
  }

  /** Its kernel has a node for the device itself, beside its group's. */
  void hasCharacterDevice() throws IOException {
    sysfs.vfioDevice(
        sysfs.root().resolve("bus/pci/devices").resolve(ID), CHARACTER_DEVICE, "511:0");
    Files.createDirectories(devices().resolve("devices"));
    Files.createFile(devices().resolve("devices").resolve(CHARACTER_DEVICE));
  }

  void passes(Duration time) {
    clock.addAndGet(time.toNanos());
  }

  void speaksV2() {
    model.features(Map.of(MIGRATION, ALL_FLAGS, DEVICE_STATE, RUNNING_V2 | NO_DATA_FILE));
  }

  /** A device that speaks v2 is in STOP, though nobody has it open. */
  void isLeftStopped() {
    model.features(Map.of(MIGRATION, ALL_FLAGS, DEVICE_STATE, STOP_V2 | NO_DATA_FILE));
  }

  void speaks2018() {
    model.features(Map.of());
    model.describes(
        RegionInfoBytes.migration(VfioModel.REGION_INDEX, VfioModel.REGION_SIZE).toBuffer());
    model.register(0, RUNNING_2018);
  }

  void speaksV1() {
    model.features(Map.of());
    model.describes(
        RegionInfoBytes.plain(VfioModel.REGION_INDEX, VfioModel.REGION_SIZE).type(3, 1).toBuffer());
    model.register(0, RUNNING_V1);
  }

  void speaksNothing() {
    model.features(Map.of());
  }

  /** A process that has the device open. */
  StandInNode.Child held() throws IOException {
    model.isAlso(processes.deviceFile());
    return processes.startHolder();
  }

  /** Calls of the work reach the model; what they opened must be closed by its end. */
  void run(InterceptedCalls.Work work) throws Exception {
    InterceptedCalls.run(model, work);
    assertThat(left()).as("left open").isEmpty();
  }

  /** What this process has open of the device, of its nodes and of processes. */
  List<String> left() throws IOException {
    List<String> left = new ArrayList<>(ModelNodes.left(folder));
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        try {
          String name = Files.readSymbolicLink(link).toString();
          if (name.contains("[pidfd]")) {
            left.add(name);
          }
        } catch (NoSuchFileException closedMeanwhile) {
          continue;
        }
      }
    }
    return left;
  }

  /** The model's name of the call that opens the device's group. */
  String openingGroup() {
    return "open vfio/" + processes.group();
  }

  /** How often a node of the device was opened since the last call. */
  long openings() {
    long openings = model.calls.stream().filter(call -> call.startsWith(openingGroup())).count();
    model.calls.clear();
    return openings;
  }

  @Override
  public void close() throws InterruptedException {
    processes.close();
  }
}
