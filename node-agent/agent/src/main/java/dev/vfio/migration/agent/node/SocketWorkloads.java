package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.user.DeviceSockets;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;

/** Workloads that speak the workload protocol over {@code NAME/workload.sock}. */
final class SocketWorkloads implements Workloads {
  private final DeviceSockets sockets;
  private final int pageSize;
  private final Duration timeout;

  SocketWorkloads(Path directory, int pageSize, Duration timeout) {
    this.sockets = new DeviceSockets(directory);
    this.pageSize = pageSize;
    this.timeout = timeout;
  }

  @Override
  public Workload of(String device) throws IOException {
    return new WorkloadSocket(
        sockets.workload(VfioUserDirectory.nameOf(device)), pageSize, timeout);
  }
}
