package dev.vfio.migration.vfio.inventory;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** A sysfs made for a test, with links and attributes where the kernel has them. */
public final class SysfsTree {
  private final Path root;

  public SysfsTree(Path directory) {
    this.root = directory.resolve("sys");
  }

  public Path root() {
    return root;
  }

  /** A PCI device below a root port, bound to nothing. */
  public Path pci(String address, Map<String, String> attributes) throws IOException {
    Path device = directory("devices/pci0000:00/0000:00:01.0/" + address);
    for (var attribute : attributes.entrySet()) {
      write(device.resolve(attribute.getKey()), attribute.getValue());
    }
    link("bus/pci/devices/" + address, device);
    return device;
  }

  public void bind(Path device, String bus, String driver) throws IOException {
    Files.createSymbolicLink(
        device.resolve("driver"),
        device.relativize(directory("bus/" + bus + "/drivers/" + driver)));
  }

  /** The driver's module, as the kernel links it below the driver. */
  void module(String bus, String driver, String module) throws IOException {
    Path folder = directory("bus/" + bus + "/drivers/" + driver);
    Files.createSymbolicLink(
        folder.resolve("module"), folder.relativize(directory("module/" + module)));
  }

  public void group(Path device, int number) throws IOException {
    Files.createSymbolicLink(
        device.resolve("iommu_group"),
        device.relativize(directory("kernel/iommu_groups/" + number)));
  }

  /**
   * @param deviceNumber as {@code dev} shows it; null where the kernel has no nodes for single
   *     devices
   */
  public void vfioDevice(Path device, String name, String deviceNumber) throws IOException {
    Path folder = Files.createDirectories(device.resolve("vfio-dev").resolve(name));
    if (deviceNumber != null) {
      write(folder.resolve("dev"), deviceNumber);
    }
  }

  /** A mediated device of that type, made by the parent. */
  Path mediated(Path parent, String uuid, String type) throws IOException {
    Path types = Files.createDirectories(parent.resolve("mdev_supported_types").resolve(type));
    Path device = Files.createDirectories(parent.resolve(uuid));
    Files.createSymbolicLink(device.resolve("mdev_type"), device.relativize(types));
    link("bus/mdev/devices/" + uuid, device);
    return device;
  }

  Path directory(String path) throws IOException {
    return Files.createDirectories(root.resolve(path));
  }

  void link(String path, Path target) throws IOException {
    Path link = root.resolve(path);
    Files.createDirectories(link.getParent());
    Files.createSymbolicLink(link, link.getParent().relativize(target));
  }

  static void write(Path file, String text) throws IOException {
    Files.writeString(file, text + "\n");
  }
}
