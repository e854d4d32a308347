package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Collection;

/** What this node's kernel has to do with migrations: its devices and who uses or awaits them. */
interface KernelSide extends DeviceDirectory, AutoCloseable {

  /**
   * As the configuration says whether the kernel's devices are looked at; where it does not, they
   * are if this node has VFIO.
   */
  static KernelSide of(AgentConfig config, KernelFiles files, int pageSize) throws IOException {
    return config.kernelDevices().orElseGet(() -> Files.isDirectory(files.devices()))
        ? new KernelNode(config, files, pageSize)
        : new NoKernel();
  }

  /** The workloads of the kernel's devices, given that long to come and wait. */
  Workloads workloads(Duration connectTimeout);

  /** The workloads of the kernel's devices for a listing of all: none is waited for. */
  Workloads listedWorkloads();

  /**
   * Before sessions go on: workloads that were given a device come back to where they waited. Looks
   * at no device, because a driver that hangs must not keep the others' sessions from going on.
   */
  void offerToThoseWhoCameBack();

  /**
   * Lets run what an earlier agent froze for a migration that has been rolled back since. What is
   * frozen for a migration that nobody here knows stays as it is: whether its device runs elsewhere
   * cannot be known.
   */
  void thawLeftOvers(Collection<SessionSnapshot> sessions);

  /**
   * Workloads may wait for devices that were made since the last call, and wait no longer for those
   * that were removed. Opens none. Of one thread; never throws.
   */
  void followDevices();

  /** Whether workloads can be handed devices, where there are any. */
  boolean canHandOver();

  @Override
  void close();
}
