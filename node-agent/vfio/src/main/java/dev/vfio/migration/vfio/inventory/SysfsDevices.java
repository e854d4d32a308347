package dev.vfio.migration.vfio.inventory;

import dev.vfio.migration.text.ForeignText;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * The VFIO devices of this node, read from sysfs each time it is asked: mediated devices ({@code
 * bus/mdev/devices}) and PCI devices that are bound to a VFIO driver ({@code bus/pci/devices}).
 * Opens no device and changes nothing. Safe for use by several threads.
 *
 * <p>A device that is removed while it is read is left out. An attribute that is not there, or that
 * the driver answers with an error, counts as not there.
 *
 * <p>Source: Documentation/ABI/testing/sysfs-bus-pci, sysfs-bus-vfio-mdev, sysfs-devices-vfio-dev
 * of the kernel. {@code migration_version} is an attribute that drivers outside the kernel's tree
 * have, of the device or of its type.
 */
public final class SysfsDevices {
  private static final Pattern PCI_ADDRESS =
      Pattern.compile("[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\\.[0-7]");
  private static final Pattern MDEV_UUID =
      Pattern.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}");
  private static final Pattern CHARACTER_DEVICE = Pattern.compile("vfio[0-9]+");
  private static final Pattern NUMBER = Pattern.compile("-?[0-9]{1,9}");

  /** The driver of all mediated devices up to Linux 5.17: it says nothing of who made them. */
  private static final String COMMON_MDEV_DRIVER = "vfio_mdev";

  private static final int NONE = -1;

  private final Path mediatedDevices;
  private final Path pciDevices;
  private final Path characterDevices;

  /**
   * @param sysfs where sysfs is mounted: {@code /sys}
   * @param deviceDirectory where the nodes of groups and containers are: {@code /dev/vfio}; it need
   *     not exist
   */
  public SysfsDevices(Path sysfs, Path deviceDirectory) {
    this.mediatedDevices = sysfs.resolve("bus/mdev/devices");
    this.pciDevices = sysfs.resolve("bus/pci/devices");
    this.characterDevices = deviceDirectory.resolve("devices");
  }

  /**
   * Every VFIO device: PCI devices by address, then mediated devices by UUID.
   *
   * @throws UncheckedIOException where a directory of sysfs exists and cannot be read
   */
  public List<NodeDevice> list() {
    List<NodeDevice> devices = new ArrayList<>();
    for (String address : names(pciDevices, PCI_ADDRESS)) {
      pciDevice(address).ifPresent(devices::add);
    }
    for (String uuid : names(mediatedDevices, MDEV_UUID)) {
      mediatedDevice(uuid).ifPresent(devices::add);
    }
    return devices;
  }

  /** The device of that name; empty where there is none, or none that is bound to VFIO. */
  public Optional<NodeDevice> find(String id) {
    if (PCI_ADDRESS.matcher(id).matches()) {
      return pciDevice(id);
    }
    return MDEV_UUID.matcher(id).matches() ? mediatedDevice(id) : Optional.empty();
  }

  /** In a sentence, why {@link #find} has nothing of that name, and what to do. */
  public String explainAbsence(String id) {
    if (MDEV_UUID.matcher(id).matches()) {
      return "this node has no mediated device "
          + id
          + ". Create it (mdev_supported_types/TYPE/create of its parent), or name one that"
          + " exists.";
    }
    if (!PCI_ADDRESS.matcher(id).matches()) {
      return "'"
          + shown(id)
          + "' is neither a PCI address such as 0000:65:00.1 nor the UUID of a mediated device, in"
          + " lower case; nothing was looked for.";
    }
    Path device = pciDevices.resolve(id);
    if (!Files.exists(device)) {
      return "this node has no PCI device " + id + ". Name one that exists.";
    }
    String driver = linkName(device.resolve("driver"));
    return "the PCI device "
        + id
        + (driver.isEmpty() ? " is bound to no driver" : " is bound to the driver " + driver)
        + (isVfio(device, driver) ? "" : ", so VFIO does not have it")
        + ". Bind it to the VFIO driver that can migrate it (driver_override, then bind).";
  }

  private static String shown(String id) {
    return ForeignText.line(id, 80);
  }

  private Optional<NodeDevice> pciDevice(String address) {
    Path device = resolved(pciDevices.resolve(address));
    if (device == null) {
      return Optional.empty();
    }
    String driver = linkName(device.resolve("driver"));
    if (!isVfio(device, driver)) {
      return Optional.empty();
    }
    return Optional.of(
        new NodeDevice(
            address,
            device,
            driver,
            "",
            address,
            pciIds(device),
            iommuGroup(device),
            characterDevice(device),
            numaNode(device),
            attribute(device.resolve("migration_version"))));
  }

  private Optional<NodeDevice> mediatedDevice(String uuid) {
    Path device = resolved(mediatedDevices.resolve(uuid));
    if (device == null) {
      return Optional.empty();
    }
    String type = linkName(device.resolve("mdev_type"));
    if (type.isEmpty()) {
      // Every mediated device has a type: this one is being made or removed.
      return Optional.empty();
    }
    Path parent = device.getParent();
    String parentName = parent.getFileName().toString();
    boolean onPci = PCI_ADDRESS.matcher(parentName).matches();
    String version = attribute(device.resolve("migration_version"));
    return Optional.of(
        new NodeDevice(
            uuid,
            device,
            driverOfMediated(device, parent),
            type,
            onPci ? parentName : "",
            onPci ? pciIds(parent) : "",
            iommuGroup(device),
            characterDevice(device),
            numaNode(parent),
            version.isEmpty()
                ? attribute(device.resolve("mdev_type/migration_version"))
                : version));
  }

  private static boolean isVfio(Path device, String driver) {
    return driver.contains("vfio") || Files.isDirectory(device.resolve("vfio-dev"));
  }

  private static String driverOfMediated(Path device, Path parent) {
    String ofParent = linkName(parent.resolve("driver"));
    if (!ofParent.isEmpty()) {
      return ofParent;
    }
    String own = linkName(device.resolve("driver"));
    if (own.equals(COMMON_MDEV_DRIVER)) {
      return "";
    }
    String module = linkName(device.resolve("driver/module"));
    return module.isEmpty() ? own : module;
  }

  private static int iommuGroup(Path device) {
    return number(linkName(device.resolve("iommu_group")));
  }

  private static int numaNode(Path device) {
    return number(attribute(device.resolve("numa_node")));
  }

  private static int number(String text) {
    return NUMBER.matcher(text).matches() ? Integer.parseInt(text) : NONE;
  }

  private static String pciIds(Path device) {
    String vendor = hexadecimal(device.resolve("vendor"));
    String model = hexadecimal(device.resolve("device"));
    if (vendor.isEmpty() || model.isEmpty()) {
      return "";
    }
    return String.format(
        "%s:%s %s:%s",
        vendor,
        model,
        hexadecimal(device.resolve("subsystem_vendor")),
        hexadecimal(device.resolve("subsystem_device")));
  }

  private static String hexadecimal(Path attribute) {
    String text = attribute(attribute);
    return text.startsWith("0x") ? text.substring(2) : text;
  }

  /**
   * Newer kernels list a device in {@code vfio-dev} even where they were built without nodes for
   * single devices; only with one it has a device number.
   */
  private String characterDevice(Path device) {
    Iterable<String> listed;
    try {
      listed = names(device.resolve("vfio-dev"), CHARACTER_DEVICE);
    } catch (UncheckedIOException removedOrRefused) {
      // The other devices are listed all the same; this one is then opened by its group.
      return "";
    }
    for (String name : listed) {
      if (Files.exists(device.resolve("vfio-dev").resolve(name).resolve("dev"))
          || Files.exists(characterDevices.resolve(name))) {
        return name;
      }
    }
    return "";
  }

  private static Path resolved(Path link) {
    try {
      return link.toRealPath();
    } catch (IOException removed) {
      return null;
    }
  }

  /** The last name of where a link leads; empty where it is no link. */
  private static String linkName(Path link) {
    if (!Files.isSymbolicLink(link)) {
      return "";
    }
    try {
      return Files.readSymbolicLink(link).getFileName().toString();
    } catch (IOException removed) {
      return "";
    }
  }

  /** The text of an attribute, trimmed; empty where there is none or its driver refuses to say. */
  private static String attribute(Path file) {
    if (!Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      return "";
    }
    try {
      return Files.readString(file).trim();
    } catch (IOException refused) {
      return "";
    }
  }

  private static Iterable<String> names(Path directory, Pattern wanted) {
    TreeSet<String> names = new TreeSet<>();
    try (DirectoryStream<Path> files = Files.newDirectoryStream(directory)) {
      for (Path file : files) {
        String name = file.getFileName().toString();
        if (wanted.matcher(name).matches()) {
          names.add(name);
        }
      }
    } catch (NoSuchFileException | NotDirectoryException none) {
      return names;
    } catch (DirectoryIteratorException unreadable) {
      throw unreadable(directory, unreadable.getCause());
    } catch (IOException unreadable) {
      throw unreadable(directory, unreadable);
    }
    return names;
  }

  private static UncheckedIOException unreadable(Path directory, IOException cause) {
    return new UncheckedIOException(
        "cannot read "
            + directory
            + ", so the VFIO devices of this node are not known; no device was touched. Mount sysfs"
            + " where the agent can read it.",
        cause);
  }
}
