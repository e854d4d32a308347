package dev.vfio.migration.sandbox.cluster;

import java.nio.file.Path;

/**
 * One node of the sandbox: an address on the loopback interface and folders.
 *
 * @param name of the Node object
 * @param address where its agent listens
 * @param advertised the agent pod's status.podIP: the same address, or that of a link in between
 * @param sockets {@code agent.vfio-user-directory}, with a folder for each device; short, as the
 *     paths of sockets must be that a device listens at
 * @param memory where the workload's memory windows lie as files
 * @param journal {@code agent.journal-directory}
 * @param tls {@code agent.tls-directory}
 * @param logs where agent and devices write their logs
 */
public record SandboxNode(
    String name,
    String address,
    String advertised,
    Path sockets,
    Path memory,
    Path journal,
    Path tls,
    Path logs) {

  public static final int CONTROL_PORT = 9443;
  public static final int STATE_PORT = 9444;
  public static final int HEALTH_PORT = 9000;

  /** The folder of a device's sockets. */
  public Path folder(String device) {
    return sockets.resolve(device);
  }

  /** What the cluster's objects say about it. */
  NodeAddress announced() {
    return new NodeAddress(name, advertised);
  }
}
