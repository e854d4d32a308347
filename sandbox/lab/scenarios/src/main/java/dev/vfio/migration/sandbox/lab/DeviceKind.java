package dev.vfio.migration.sandbox.lab;

import java.util.List;
import java.util.Optional;

/** The migration interfaces that the lab shows, each with a real device of the guests' kernel. */
enum DeviceKind {
  /** Our own module, with the region of the 2018 text. */
  REGION_2018("2018", "vmig", "vmig-2018"),
  /** Our own module, with the region of Linux 5.8 to 5.17. */
  REGION_V1("v1", "vmig", "vmig-v1"),
  /** The kernel's own sample device, with the interface of Linux 5.18 and later. */
  FEATURE_V2("v2", "mtty", "mtty-1"),
  /** Our own module, with that interface, a state of any size and a log of the memory it writes. */
  FEATURE_V2_OURS("v2-vmig", "vmig", "vmig-v2");

  /** Linux 6.7. */
  private static final int MTTY_MIGRATES = 6007;

  /** Linux 6.7: from here on the log of what a device wrote belongs to iommufd. */
  static final int LOG_NEEDS_IOMMUFD = 6007;

  private final String label;
  private final String parent;
  private final String type;

  DeviceKind(String label, String parent, String type) {
    this.label = label;
    this.parent = parent;
    this.type = type;
  }

  /** The kind's name in verdicts and names. */
  String label() {
    return label;
  }

  /** Whether its first scenarios are part of the short run: one device for each interface. */
  boolean core() {
    return this != FEATURE_V2_OURS;
  }

  /** The kinds' names, for a scenario that shows several at once. */
  static String labels(List<DeviceKind> kinds) {
    return String.join(", ", kinds.stream().map(DeviceKind::label).toList());
  }

  /** Whether the driver is our own module, which keeps a trace and fails on demand. */
  boolean ours() {
    return parent.equals("vmig");
  }

  /** The module that makes these devices. */
  String module() {
    return parent;
  }

  /**
   * Why a kernel's device of this kind cannot migrate; empty where it can.
   *
   * @param release of the kernel, as {@code uname -r} has it
   */
  Optional<String> missingIn(String release) {
    return this == FEATURE_V2 && versionOf(release) < MTTY_MIGRATES
        ? Optional.of("mtty of Linux " + release + " has no migration; that of 6.7 has")
        : Optional.empty();
  }

  /** Major and minor number of a kernel as one number: 6012 for {@code 6.12.4-amd64}. */
  static int versionOf(String release) {
    String[] numbers = release.split("[.-]");
    return Integer.parseInt(numbers[0]) * 1000 + Integer.parseInt(numbers[1]);
  }

  /** Folder of the mdev type in sysfs. */
  String typeFolder() {
    return "/sys/class/mdev_bus/" + parent + "/mdev_supported_types/" + type;
  }
}
