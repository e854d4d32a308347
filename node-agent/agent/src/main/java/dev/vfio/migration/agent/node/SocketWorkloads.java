package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.user.DeviceSockets;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import dev.vfio.migration.vfio.workload.ReceiverFile;
import dev.vfio.migration.vfio.workload.WindowDirectories;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/** Workloads that speak the workload protocol over {@code NAME/workload.sock}. */
final class SocketWorkloads implements Workloads {
  private final DeviceSockets sockets;
  private final int pageSize;
  private final Duration timeout;
  private final List<Path> windowDirectories;
  private final Path receivers;
  private final Processes processes;

  /**
   * @param windowDirectories beneath which the files behind windows lie
   * @param receivers folder on a disk that outlives the agent: for which process each device was
   *     loaded
   * @param processes of this machine
   */
  SocketWorkloads(
      Path directory,
      int pageSize,
      Duration timeout,
      List<Path> windowDirectories,
      Path receivers,
      Processes processes) {
    this.sockets = new DeviceSockets(directory);
    this.pageSize = pageSize;
    this.timeout = timeout;
    this.windowDirectories = List.copyOf(windowDirectories);
    this.receivers = receivers;
    this.processes = processes;
  }

  @Override
  public Workload of(String device) throws IOException {
    String name = VfioUserDirectory.nameOf(device);
    return new WorkloadSocket(
        sockets.workload(name),
        pageSize,
        timeout,
        new WindowDirectories(windowDirectories, name),
        new ReceiverFile(receivers.resolve(name + ".json"), processes));
  }
}
