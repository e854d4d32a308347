package dev.vfio.migration.sandbox.lab;

import java.io.IOException;

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

  Migration.End end() {
    return new Migration.End(node.name(), id);
  }

  /** Takes it away; nobody may hold it any more. */
  void remove() throws IOException, InterruptedException {
    node.run("echo 1 >/sys/bus/mdev/devices/%s/remove".formatted(id));
  }
}
