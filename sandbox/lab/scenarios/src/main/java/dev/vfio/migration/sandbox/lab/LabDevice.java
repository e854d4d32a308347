package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.migration.NodeDevice;
import java.io.IOException;
import java.util.List;

/**
 * A mediated device in a guest.
 *
 * @param id its UUID, which is also its id in a DeviceMigration
 */
record LabDevice(GuestNode node, DeviceKind kind, String id) {

  static LabDevice create(GuestNode node, DeviceKind kind, String id)
      throws IOException, InterruptedException {
    node.run("echo %s >%s/create".formatted(id, kind.typeFolder()));
    return new LabDevice(node, kind, id);
  }

  NodeDevice end() {
    return new NodeDevice(node.name(), id);
  }

  /** Removes it; nobody may hold it any more. */
  void remove() throws IOException, InterruptedException {
    node.run("echo 1 >/sys/bus/mdev/devices/%s/remove".formatted(id));
  }

  /** The node of its IOMMU group. */
  String groupNode() throws IOException, InterruptedException {
    return "/dev/vfio/"
        + node.run("basename $(readlink /sys/bus/mdev/devices/%s/iommu_group)".formatted(id))
            .get(0)
            .strip();
  }

  /** Processes that hold the device's group; empty where it is free. */
  List<String> holders() throws IOException, InterruptedException {
    return node.run(
        ("group=$(basename $(readlink /sys/bus/mdev/devices/%s/iommu_group));"
                + " for p in /proc/[0-9]*; do"
                + " if ls -l $p/fd 2>/dev/null | grep -q \"/dev/vfio/$group$\"; then"
                + " echo ${p#/proc/} $(cat $p/comm); fi; done")
            .formatted(id));
  }
}
