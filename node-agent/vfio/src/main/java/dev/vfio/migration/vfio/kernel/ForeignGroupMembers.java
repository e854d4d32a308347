package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import java.io.IOException;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The devices of an IOMMU group that drivers outside VFIO hold, for messages. */
final class ForeignGroupMembers {

  private ForeignGroupMembers() {}

  /**
   * The other devices of a device's group whose driver is not one of VFIO's by its name, each as
   * {@code "0000:65:00.1 (nvme)"}; empty where sysfs does not say. The device itself does not
   * count, because drivers of mediated devices have any name.
   */
  static List<String> outsideVfio(NodeDevice device) {
    List<String> found = new ArrayList<>();
    Path members = device.sysfs().resolve("iommu_group").resolve("devices");
    try (DirectoryStream<Path> links = Files.newDirectoryStream(members)) {
      for (Path member : links) {
        Path driver = member.resolve("driver");
        boolean itself = member.getFileName().equals(device.sysfs().getFileName());
        String name = itself ? "" : driverName(driver);
        if (!name.isEmpty() && !name.contains("vfio")) {
          found.add(member.getFileName() + " (" + name + ")");
        }
      }
    } catch (IOException | DirectoryIteratorException unreadable) {
      // The message goes without the names.
      return List.of();
    }
    Collections.sort(found);
    return found;
  }

  /**
   * The driver's name; empty where there is none, or the device was unbound or removed meanwhile.
   */
  private static String driverName(Path driver) {
    try {
      return driver.toRealPath().getFileName().toString();
    } catch (IOException removed) {
      return "";
    }
  }
}
