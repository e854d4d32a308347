package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import dev.vfio.migration.vfio.workload.WindowDirectories;
import dev.vfio.migration.vfio.workload.Workload;
import dev.vfio.migration.vfio.workload.WorkloadSocket;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.regex.Pattern;

/** Workloads that speak the workload protocol over {@code NAME.workload.sock}. */
final class SocketWorkloads implements Workloads {
  private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");

  private final Path directory;
  private final int pageSize;
  private final Duration timeout;
  private final List<Path> windowDirectories;

  /**
   * @param windowDirectories beneath which the files behind windows lie
   */
  SocketWorkloads(Path directory, int pageSize, Duration timeout, List<Path> windowDirectories) {
    this.directory = directory;
    this.pageSize = pageSize;
    this.timeout = timeout;
    this.windowDirectories = List.copyOf(windowDirectories);
  }

  @Override
  public Workload of(String device) throws IOException {
    String name =
        device.startsWith(VfioUserDirectory.ID_PREFIX)
            ? device.substring(VfioUserDirectory.ID_PREFIX.length())
            : "";
    if (!NAME.matcher(name).matches()) {
      throw new IOException("no workload is known for the device " + device);
    }
    return new WorkloadSocket(
        directory.resolve(name + ".workload.sock"),
        pageSize,
        timeout,
        new WindowDirectories(windowDirectories, name));
  }
}
