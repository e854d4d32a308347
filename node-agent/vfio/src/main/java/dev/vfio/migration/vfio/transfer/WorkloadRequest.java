package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.DescriptorMessage;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.util.ArrayList;
import java.util.List;

/**
 * What a waiting workload is asked in one message: to receive the device, its companions and the
 * memory of its windows, or what needs no descriptors.
 *
 * @param text that names the descriptors, in their order
 * @param descriptors stay their owners'
 */
record WorkloadRequest(ObjectNode text, List<Descriptor> descriptors) {

  static WorkloadRequest of(String operation, String migration) {
    return new WorkloadRequest(text(operation, migration), List.of());
  }

  private static ObjectNode text(String operation, String migration) {
    return LineConnection.JSON.createObjectNode().put("op", operation).put("migration", migration);
  }

  /**
   * @throws WorkloadException where there are more descriptors than one message carries
   */
  static WorkloadRequest toReceive(
      String device, String migration, DeviceDescriptors open, DeviceWindowMemory memory)
      throws WorkloadException {
    List<Descriptor> descriptors = new ArrayList<>();
    ObjectNode request = text("receive", migration).put("device", device);
    request.put("interface", open.migrationInterface().name());
    request.put("access", open.companions().containsKey("group") ? "group" : "cdev");
    ArrayNode names = request.putArray("descriptors").add("device");
    descriptors.add(open.device());
    open.companions()
        .forEach(
            (name, descriptor) -> {
              names.add(name);
              descriptors.add(descriptor);
            });
    open.ioas().ifPresent(ioas -> request.put("ioas", Integer.toUnsignedLong(ioas)));
    ArrayNode windows = request.putArray("windows");
    for (int i = 0; i < memory.shapes().size(); i++) {
      WindowShape shape = memory.shapes().get(i);
      windows
          .addObject()
          .put("name", shape.name())
          .put("iova", shape.iova())
          .put("size", shape.size())
          .put("descriptor", descriptors.size());
      names.add("window:" + shape.name());
      descriptors.add(memory.memory().get(i));
    }
    requireFits(device, open, memory.shapes().size());
    return new WorkloadRequest(request, List.copyOf(descriptors));
  }

  /**
   * Makes sure that one message carries the device and that many windows.
   *
   * @throws WorkloadException where it does not
   */
  static void requireFits(String device, DeviceDescriptors open, int windows)
      throws WorkloadException {
    int descriptors = 1 + open.companions().size() + windows;
    if (descriptors > DescriptorMessage.MAX_DESCRIPTORS) {
      throw new WorkloadException(
          Errno.EINVAL.number(),
          String.format(
              "the device %s and its windows are %s file descriptors, and one message carries %s."
                  + " Nothing was delivered; let the workload use fewer, larger windows.",
              device, descriptors, DescriptorMessage.MAX_DESCRIPTORS),
          null);
    }
  }
}
