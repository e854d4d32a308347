package dev.vfio.migration.sandbox.cluster.migration;

import java.util.Map;

/**
 * The source or the destination of a migration.
 *
 * @param node name of the Node object
 * @param device id as users write it
 */
public record NodeDevice(String node, String device) {

  /** As the spec has it. */
  public Map<String, Object> spec() {
    return Map.of("nodeName", node, "device", device);
  }
}
