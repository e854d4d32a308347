package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.DirectArea;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import dev.vfio.migration.vfio.access.StateFile;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.inventory.SysfsDevices;
import dev.vfio.migration.vfio.linux.Duplicates;
import dev.vfio.migration.vfio.linux.Errno;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Proves the access against real devices of a real kernel: a program for a machine that may be
 * wrecked, such as a guest of the lab. Ends with {@code PROBE-PASSED} or throws.
 *
 * <p>Arguments: {@code GROUP} or {@code CDEV}; the UUIDs of two devices of the kernel's sample
 * driver {@code mtty} that nobody uses; and, if there is one, the address of a PCI device that is
 * bound to plain {@code vfio-pci} (QEMU's {@code edu}).
 */
public final class KernelProbe {
  private static final Path VFIO = Path.of("/dev/vfio");
  private static final Duration TIMEOUT = Duration.ofSeconds(20);
  private static final int MIGRATION = 1;
  private static final int DEVICE_STATE = 2;
  private static final int STOP = 1;
  private static final int RUNNING = 2;
  private static final int STOP_COPY = 3;
  private static final int RESUMING = 4;
  private static final int PRE_COPY = 6;
  private static final int SCRATCH_REGISTER = 7;
  private static final int SCRATCH = 0x5a;

  private final NodeChoice choice;
  private final SysfsDevices devices = new SysfsDevices(Path.of("/sys"), VFIO);

  private KernelProbe(NodeChoice choice) {
    this.choice = choice;
  }

  /** See above. */
  public static void main(String[] arguments) throws Exception {
    KernelProbe probe = new KernelProbe(NodeChoice.valueOf(arguments[0]));
    probe.migrate(arguments[1], arguments[2]);
    if (arguments.length > 3) {
      probe.plainDevice(arguments[3]);
    }
    say("PROBE-PASSED");
  }

  private static void say(String what) {
    System.out.println(what);
  }

  private static void require(boolean holds, String what) {
    if (!holds) {
      throw new AssertionError(what);
    }
    say("  ok " + what);
  }

  private KernelAccess open(String id) throws DeviceException {
    return KernelAccess.open(devices.find(id).orElseThrow(), VFIO, choice);
  }

  private static ByteBuffer room(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  /** VFIO's files of this process, by name. */
  private static Map<String, Integer> openFiles() throws IOException {
    Map<String, Integer> found = new TreeMap<>();
    try (DirectoryStream<Path> links = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
      for (Path link : links) {
        try {
          String name = Files.readSymbolicLink(link).toString();
          if (name.contains("vfio") || name.contains("iommu") || name.contains("mtty")) {
            found.merge(name, 1, Integer::sum);
          }
        } catch (NoSuchFileException closedMeanwhile) {
          continue;
        }
      }
    }
    return found;
  }

  private static boolean anyMapped() throws IOException {
    return Files.readString(Path.of("/proc/self/maps")).contains("vfio");
  }

  private void migrate(String sourceId, String destinationId) throws Exception {
    ByteBuffer state = room(1 << 20);
    try (KernelAccess source = open(sourceId)) {
      say("source " + sourceId + ": " + source.deviceInfo() + ", " + openFiles());
      require(
          source.companions().keySet().stream()
              .toList()
              .equals(
                  choice == NodeChoice.GROUP ? List.of("group", "container") : List.of("iommufd")),
          "companions " + source.companions().keySet() + ", " + source.addressSpace());
      regions(source);
      features(source);
      secondOpening(sourceId);
      source.writeRegion(0, SCRATCH_REGISTER, room(1).put(0, (byte) SCRATCH));
      save(source, state);
      move(source, RUNNING);
      adopted(sourceId, source);
    }
    require(openFiles().isEmpty(), "nothing is open after the close");
    try (KernelAccess destination = open(destinationId)) {
      destination.reset();
      brokenStream(destination);
      destination.reset();
      load(destination, state.flip());
      ByteBuffer scratch = room(1);
      destination.readRegion(0, SCRATCH_REGISTER, scratch);
      require(scratch.get(0) == SCRATCH, "the register has the source's value");
    }
    require(openFiles().isEmpty(), "nothing is open after the close");
    for (int i = 0; i < 50; i++) {
      open(sourceId).close();
    }
    require(openFiles().isEmpty(), "nothing is open after fifty times");
  }

  private static void regions(KernelAccess device) throws AccessException {
    for (int i = 0; i < device.deviceInfo().regions(); i++) {
      RegionInfo info = device.regionInfo(i);
      if (info.size() > 0) {
        say("  region " + i + ": " + info.size() + " bytes at " + Long.toHexString(info.offset()));
      }
    }
    ByteBuffer ids = room(4);
    int read = device.readRegion(RegionInfoLayout.PCI_CONFIG_REGION, 0, ids);
    require(read == 4, "config space: ids " + Integer.toHexString(ids.getInt(0)));
    ByteBuffer bulk = room(64);
    require(
        device.readRegion(RegionInfoLayout.PCI_CONFIG_REGION, 0, bulk) == 64
            && bulk.getInt(0) == ids.getInt(0),
        "64 bytes of config space in one call");
    refused(
        Errno.EINVAL,
        () -> device.readRegion(0, device.regionInfo(0).size() - 3, room(4)),
        "a read across the region's end");
  }

  private static void features(KernelAccess device) throws AccessException {
    require(device.probe(MIGRATION, FeatureAccess.GET), "it has the feature MIGRATION");
    require(!device.probe(MIGRATION, FeatureAccess.SET), "which cannot be set");
    require(!device.probe(999, FeatureAccess.GET), "it has no feature 999");
    ByteBuffer flags = room(8);
    device.get(MIGRATION, flags);
    require(flags.getLong(0) == 7, "STOP_COPY, P2P and PRE_COPY: flags " + flags.getLong(0));
    refused(Errno.ENOTTY, () -> device.get(999, room(8)), "getting feature 999");
    refused(Errno.EINVAL, () -> device.get(MIGRATION, room(4)), "a payload that is too short");
  }

  private void secondOpening(String id) {
    try {
      open(id).close();
    } catch (DeviceException failure) {
      require(failure.kind() == Kind.BUSY, "a second opening: " + failure.getMessage());
      return;
    }
    throw new AssertionError("a second opening succeeded");
  }

  private static int state(KernelAccess device) throws AccessException {
    ByteBuffer payload = room(8);
    device.get(DEVICE_STATE, payload);
    return payload.getInt(0);
  }

  /** Answers the data file's number, or -1. */
  private static int move(KernelAccess device, int state) throws AccessException {
    ByteBuffer payload = room(8).putInt(0, state).putInt(4, -1);
    device.set(DEVICE_STATE, payload);
    require(state(device) == state, "state " + state + ", data file " + payload.getInt(4));
    return payload.getInt(4);
  }

  private static void save(KernelAccess device, ByteBuffer state) throws AccessException {
    require(state(device) == RUNNING, "it runs");
    try (StateFile file = device.stateFile(move(device, PRE_COPY))) {
      say("  " + file.precopyInfo());
      require(file.read(state, TIMEOUT) > 0, "bytes in PRE_COPY: " + state.position());
      say("  " + file.precopyInfo());
      require(file.read(state, TIMEOUT) == 0, "this driver answers 0 to reading on in PRE_COPY");
      require(move(device, STOP_COPY) == -1, "the data file goes on");
      refused(Errno.EINVAL, file::precopyInfo, "precopy info outside PRE_COPY");
      int read;
      do {
        read = file.read(state, TIMEOUT);
      } while (read > 0);
      require(state.position() > 0, "the stream ended after bytes: " + state.position());
      move(device, STOP);
      refused(Errno.ENODEV, () -> file.read(state, TIMEOUT), "reading the stale stream");
    }
  }

  private static void load(KernelAccess device, ByteBuffer state) throws AccessException {
    try (StateFile file = device.stateFile(move(device, RESUMING))) {
      file.write(state, TIMEOUT);
      require(!state.hasRemaining(), "the state is written");
    }
    move(device, STOP);
    move(device, RUNNING);
  }

  private static void brokenStream(KernelAccess device) throws AccessException {
    try (StateFile file = device.stateFile(move(device, RESUMING))) {
      ByteBuffer noise = room(4096);
      for (int i = 0; i < 4096; i++) {
        noise.put(i, (byte) 0xee);
      }
      file.write(noise, TIMEOUT);
      throw new AssertionError("noise was taken for a state");
    } catch (AccessException failure) {
      require(failure.errno() != 0, "noise for a state: " + failure.getMessage());
    }
    require(state(device) == RESUMING, "it is still in RESUMING");
  }

  private static void adopted(String id, KernelAccess device) throws Exception {
    int before = openFiles().values().stream().mapToInt(Integer::intValue).sum();
    try (KernelAccess adopted = KernelAccess.adopt(id, Duplicates.of(device.descriptor()))) {
      require(adopted.deviceInfo().equals(device.deviceInfo()), "a duplicate is the same device");
      require(adopted.companions().isEmpty(), "and brings no companions");
      require(state(adopted) == RUNNING, "and its state");
    }
    int after = openFiles().values().stream().mapToInt(Integer::intValue).sum();
    require(before == after, "and its close leaves the first one open");
  }

  private void plainDevice(String address) throws Exception {
    NodeDevice device = devices.find(address).orElseThrow();
    say("plain device: " + device);
    try (KernelAccess access = open(address)) {
      require(!access.probe(MIGRATION, FeatureAccess.GET), "it has no feature MIGRATION");
      RegionInfo info = access.regionInfo(0);
      require(info.mappable(), "its region 0 may be mapped: " + info.size() + " bytes");
      memory(access, true);
      List<DirectArea> areas = access.directAreas(info, List.of(new RegionPart(0, info.size())));
      require(areas.size() == 1 && anyMapped(), "it is mapped");
      ByteBuffer trapped = room(4);
      access.readRegion(0, 0, trapped);
      ByteBuffer direct = room(4);
      areas.get(0).read(0, direct);
      require(
          trapped.getInt(0) == direct.getInt(0),
          "mapping and read agree: " + Integer.toHexString(direct.getInt(0)));
      memory(access, false);
      try {
        areas.get(0).read(0, direct.clear());
        throw new AssertionError("memory that is switched off was read");
      } catch (AccessException failure) {
        require(true, "memory that is switched off: " + failure.getMessage());
      }
      memory(access, true);
      areas.get(0).read(0, direct.clear());
      require(trapped.getInt(0) == direct.getInt(0), "switched on again, it is read again");
      access.reset();
    } catch (AccessException failure) {
      require(failure.errno() == Errno.EOPNOTSUPP.number(), "no reset: " + failure.getMessage());
    }
    require(openFiles().isEmpty() && !anyMapped(), "nothing is open or mapped after the close");
  }

  /** Switches a PCI device's memory on or off, by its command register. */
  private static void memory(KernelAccess device, boolean on) throws AccessException {
    ByteBuffer command = room(2);
    device.readRegion(RegionInfoLayout.PCI_CONFIG_REGION, 4, command);
    command.putShort(0, (short) (command.getShort(0) & ~2 | (on ? 2 : 0)));
    device.writeRegion(RegionInfoLayout.PCI_CONFIG_REGION, 4, command.clear());
  }

  /** Something that fails. */
  @FunctionalInterface
  private interface Attempt {
    void make() throws AccessException;
  }

  private static void refused(Errno errno, Attempt attempt, String what) {
    try {
      attempt.make();
    } catch (AccessException failure) {
      require(failure.errno() == errno.number(), what + ": " + failure.getMessage());
      return;
    }
    throw new AssertionError(what + " succeeded");
  }
}
