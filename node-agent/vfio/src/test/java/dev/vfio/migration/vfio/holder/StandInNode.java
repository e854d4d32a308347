package dev.vfio.migration.vfio.holder;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.CharacterDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.PseudoTerminal;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * A machine without VFIO devices that looks like one with them: real processes hold a file whose
 * name stands for a device's, and real nodes, of pseudo terminals, whose numbers a sysfs made for
 * the test gives as those of an IOMMU group or of a device. Ends its processes.
 */
public final class StandInNode implements AutoCloseable {
  public static final String ID = "0000:65:00.1";
  public static final String IDS = "1af4:1041 1af4:1100";

  /** Stands for {@code /dev/vfio/vfio}. */
  public static final Path CONTAINER = Path.of("/dev/full");

  /** Stands for {@code /dev/iommu}. */
  public static final Path IOMMUFD = Path.of("/dev/zero");

  private static final long SECONDS = 60;

  private final Path folder;
  private final Path sysfs;
  private final List<Child> children = new ArrayList<>();
  private final List<PseudoTerminal> nodes = new ArrayList<>();
  private final int group;

  /** A process that runs a shell script. */
  public static final class Child {
    private final Process process;
    private final BufferedReader output;

    private Child(Process process) {
      this.process = process;
      this.output =
          new BufferedReader(
              new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    public long pid() {
      return process.pid();
    }

    /** Its next line. */
    public String line() throws IOException {
      return output.readLine();
    }

    /** Gives it a line. */
    public void send(String line) throws IOException {
      Writer input = process.outputWriter();
      input.write(line + "\n");
      input.flush();
    }

    /** Gives it a line and waits for its next. */
    public String ask(String line) throws IOException {
      send(line);
      return line();
    }

    /** Kills it, and waits until it has ended. */
    public void kill() throws InterruptedException {
      process.destroyForcibly();
      assertThat(process.waitFor(SECONDS, TimeUnit.SECONDS)).isTrue();
    }

    public boolean lives() {
      return process.isAlive();
    }
  }

  public StandInNode(Path folder) throws IOException {
    this.folder = folder;
    this.sysfs = folder.resolve("sys");
    Files.createDirectories(folder.resolve("dev/vfio/devices"));
    Files.writeString(deviceFile(), IDS);
    misc("vfio", CONTAINER);
    misc("iommu", IOMMUFD);
    this.group = addGroup();
    member(group, ID, IDS);
  }

  /** What a descriptor of a device is called here. */
  public Path deviceFile() {
    return folder.resolve("vfio-device");
  }

  /** Number of the device's group. */
  public int group() {
    return group;
  }

  public Path group(int number) {
    return Path.of("/dev/pts", Integer.toString(number));
  }

  /** Adds a group, and answers its number. */
  public int addGroup() throws IOException {
    return Integer.parseInt(addNode(sysfs.resolve("class/vfio")));
  }

  /** Gives the device a node of its own, and answers what that is called. */
  public String addCharacterDevice() throws IOException {
    return addNode(sysfs.resolve("devices/pci0000:64").resolve(ID).resolve("vfio-dev"));
  }

  /** Adds another device that has a node, and answers what that is called. */
  public String addOtherCharacterDevice() throws IOException {
    return addNode(sysfs.resolve("class/vfio-dev"));
  }

  private String addNode(Path devices) throws IOException {
    PseudoTerminal node = PseudoTerminal.make();
    nodes.add(node);
    String name = Integer.toString(node.number());
    Path known = Files.createDirectories(devices.resolve(name));
    Files.writeString(known.resolve("dev"), node.deviceNumber() + "\n");
    return name;
  }

  private void misc(String name, Path node) throws IOException {
    Path known = Files.createDirectories(sysfs.resolve("class/misc").resolve(name));
    Files.writeString(known.resolve("dev"), CharacterDevice.number(node).orElseThrow() + "\n");
  }

  /** Adds a device to a group. */
  public void member(int group, String id, String ids) throws IOException {
    Path device =
        Files.createDirectories(
            sysfs.resolve("kernel/iommu_groups/" + group + "/devices").resolve(id));
    String[] parts = ids.split("[: ]");
    Files.writeString(device.resolve("vendor"), "0x" + parts[0] + "\n");
    Files.writeString(device.resolve("device"), "0x" + parts[1] + "\n");
    Files.writeString(device.resolve("subsystem_vendor"), "0x" + parts[2] + "\n");
    Files.writeString(device.resolve("subsystem_device"), "0x" + parts[3] + "\n");
  }

  public NodeDevice device() {
    return device(IDS, "");
  }

  public NodeDevice device(String ids, String characterDevice) {
    return new NodeDevice(
        ID,
        sysfs.resolve("devices/pci0000:64").resolve(ID),
        "vfio-pci",
        "",
        ID,
        ids,
        group,
        characterDevice,
        -1,
        "");
  }

  public Holders holders() {
    return holders(Path.of("/proc"), deviceFile().toString());
  }

  public Holders holders(Path proc, String deviceLink) {
    return new Holders(proc, sysfs, deviceLink, StandInNode::ids);
  }

  public Holders holders(Holders.Domains domains) {
    return new Holders(
        new Processes(Path.of("/proc")), sysfs, deviceFile().toString(), StandInNode::ids, domains);
  }

  /** For which time passes as the test says. */
  Holders timedHolders(LongSupplier nanoTime) {
    return new Holders(
        new Processes(Path.of("/proc")),
        sysfs,
        deviceFile().toString(),
        StandInNode::ids,
        cgroup -> cgroup,
        nanoTime);
  }

  /** The file's content: what the configuration space of a device is. */
  private static Optional<String> ids(Descriptor device) throws IOException {
    try (device) {
      return Optional.of(Files.readString(OpenFile.path(device)));
    }
  }

  /**
   * Starts a shell and waits until it says that it is ready.
   *
   * @param script with $DEVICE and $GROUP for the files; what comes before "echo ready" is done
   *     when this returns
   */
  public Child start(String script) throws IOException {
    ProcessBuilder builder = new ProcessBuilder("sh", "-c", script).redirectErrorStream(true);
    builder.environment().put("DEVICE", deviceFile().toString());
    builder.environment().put("GROUP", group(group).toString());
    builder.environment().put("FOLDER", folder.toString());
    Child child = new Child(builder.start());
    children.add(child);
    assertThat(child.line()).as("a child's first line").isEqualTo("ready");
    return child;
  }

  /**
   * Starts a process that has these files open and sleeps.
   *
   * @param files as the shell redirects them, for example {@code 7<>$DEVICE}
   */
  public Child startWith(String files) throws IOException {
    return start("exec " + files + "; echo ready; exec sleep 300");
  }

  /** Starts a process that holds the device and does nothing with it. */
  public Child startHolder() throws IOException {
    return startWith("7<>$DEVICE 8<>$GROUP");
  }

  @Override
  public void close() throws InterruptedException {
    for (Child child : children) {
      for (ProcessHandle descendant : child.process.descendants().toList()) {
        descendant.destroyForcibly();
      }
      child.kill();
    }
    nodes.forEach(PseudoTerminal::close);
  }
}
