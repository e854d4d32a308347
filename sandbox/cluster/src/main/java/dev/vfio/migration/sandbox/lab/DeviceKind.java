package dev.vfio.migration.sandbox.lab;

/** The migration interfaces that the lab shows, each with a real device of the guests' kernel. */
enum DeviceKind {
  /** Our own module, with the region of the 2018 text. */
  REGION_2018("2018", "vmig", "vmig-2018"),
  /** Our own module, with the region of Linux 5.8 to 5.17. */
  REGION_V1("v1", "vmig", "vmig-v1"),
  /** The kernel's own sample device, with the interface of Linux 5.18 and later. */
  FEATURE_V2("v2", "mtty", "mtty-1");

  private final String label;
  private final String parent;
  private final String type;

  DeviceKind(String label, String parent, String type) {
    this.label = label;
    this.parent = parent;
    this.type = type;
  }

  /** For verdicts and names. */
  String label() {
    return label;
  }

  /** Whether it is our own module, which keeps a trace and fails where it is told to. */
  boolean ours() {
    return parent.equals("vmig");
  }

  /** The module that makes these devices. */
  String module() {
    return parent;
  }

  /** Folder of the mdev type in sysfs. */
  String typeFolder() {
    return "/sys/class/mdev_bus/" + parent + "/mdev_supported_types/" + type;
  }
}
