package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.workload.WindowShape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Addresses at which a device's IOMMU takes no mapping, as those of message-signalled interrupts:
 * they differ from machine to machine, and a workload would find out once it is handed the device.
 *
 * <p>Source: the kernel's {@code Documentation/ABI/testing/sysfs-kernel-iommu_groups}.
 */
final class ReservedAddresses {
  private static final Pattern LINE =
      Pattern.compile("0x([0-9a-fA-F]{1,16}) 0x([0-9a-fA-F]{1,16}) ([a-z-]+)");

  /** Reserved for the firmware, and given up where a device is passed on. */
  private static final String RELAXABLE = "direct-relaxable";

  private ReservedAddresses() {}

  /**
   * Which window lies at such an address, as a part of a sentence; empty where none is known to.
   */
  static Optional<String> objection(NodeDevice device, List<WindowShape> windows)
      throws IOException {
    Path file = device.sysfs().resolve("iommu_group").resolve("reserved_regions");
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (NoSuchFileException olderThanLinux411) {
      return Optional.empty();
    }
    for (String line : lines) {
      Matcher region = LINE.matcher(line);
      if (region.matches() && !region.group(3).equals(RELAXABLE)) {
        long first = Long.parseUnsignedLong(region.group(1), 16);
        long last = Long.parseUnsignedLong(region.group(2), 16);
        for (WindowShape window : windows) {
          if (Long.compareUnsigned(window.iova(), last) <= 0
              && Long.compareUnsigned(window.iova() + window.size() - 1, first) >= 0) {
            return Optional.of(
                String.format(
                    Locale.ROOT,
                    "window %s (address 0x%x, %d bytes) lies where this node's IOMMU takes no"
                        + " mapping (%s, see %s)",
                    window.name(),
                    window.iova(),
                    window.size(),
                    line,
                    file));
          }
        }
      }
    }
    return Optional.empty();
  }
}
