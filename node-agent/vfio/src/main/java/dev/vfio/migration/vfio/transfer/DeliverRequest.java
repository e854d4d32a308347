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
 * What goes to a waiting workload in one message: the device, its companions and the memory of its
 * windows.
 *
 * @param request that names the descriptors, in their order
 * @param descriptors stay their owners'
 */
record DeliverRequest(ObjectNode request, List<Descriptor> descriptors) {

  /**
   * @throws WorkloadException where there are more descriptors than one message carries
   */
  static DeliverRequest of(
      String device, String migration, DeviceDescriptors open, DeviceWindowMemory memory)
      throws WorkloadException {
    ObjectNode request = LineConnection.JSON.createObjectNode();
    List<Descriptor> descriptors = new ArrayList<>();
    request.put("op", "receive").put("migration", migration).put("device", device);
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
    return new DeliverRequest(request, List.copyOf(descriptors));
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
          "the device "
              + device
              + " and its windows are "
              + descriptors
              + " file descriptors, and one message carries "
              + DescriptorMessage.MAX_DESCRIPTORS
              + ". Nothing was delivered; let the workload use fewer, larger windows.",
          null);
    }
  }
}
