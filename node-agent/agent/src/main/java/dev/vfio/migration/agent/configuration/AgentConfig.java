package dev.vfio.migration.agent.configuration;

import dev.vfio.migration.vfio.kernel.NodeChoice;
import io.quarkus.runtime.configuration.MemorySize;
import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/** How this agent is set up: {@code agent.*}, or {@code AGENT_*} in the environment. */
@ConfigMapping(prefix = "agent")
public interface AgentConfig {
  /** The name of this node in the cluster. */
  String nodeName();

  /** Address that control, state and health listen on. */
  @WithDefault("0.0.0.0")
  String listenAddress();

  /** TCP port of the control service (gRPC over mutual TLS). */
  @WithDefault("9443")
  int controlPort();

  /** TCP port of the state stream; 0 takes any free one. */
  @WithDefault("9444")
  int statePort();

  /**
   * TCP port of {@code /q/health/live}, {@code /q/health/ready}, {@code /q/metrics}: plain HTTP.
   */
  @WithDefault("9000")
  int healthPort();

  /** Where sessions are journalled. Must outlive the agent, and belongs to one agent at a time. */
  @WithDefault("/var/lib/vfio-migration")
  Path journalDirectory();

  /**
   * Where vfio-user devices and their workloads are: {@code NAME/device.sock} and {@code
   * NAME/workload.sock}, the folder {@code NAME} owned by the user of both. See docs/workload.md.
   */
  @WithDefault("/run/vfio-user")
  Path vfioUserDirectory();

  /**
   * Further directories that the files behind DMA windows may lie beneath, absolute, separated by
   * commas. Each is one file system: what is mounted beneath one is named for itself.
   */
  Optional<List<Path>> memoryDirectories();

  /**
   * Whether the kernel's VFIO devices are looked at; where it is not said, they are if {@code
   * /dev/vfio} exists.
   */
  Optional<Boolean> kernelDevices();

  /**
   * By what a kernel device is opened for the workload that waits for it: {@code group}, {@code
   * cdev}, or {@code auto}, which is the group where the node has both.
   */
  @WithDefault("auto")
  NodeChoice deviceAccess();

  /**
   * Where workloads wait for kernel devices, at {@code DEVICE/handover.sock}, and say what memory
   * belongs to one, in {@code DEVICE/memory.json}. See docs/workload-transfer.md.
   */
  @WithDefault("/run/vfio-migration/devices")
  Path handoverDirectory();

  /**
   * User ids that may wait for a kernel device, besides root and the owner of the device's folder.
   */
  Optional<Set<Integer>> handoverUsers();

  /** How long a destination waits for a workload to come for its kernel device. */
  @WithDefault("10s")
  Duration handoverTimeout();

  /** Where the host's cgroup v2 hierarchy is mounted: a workload is paused by its freezer. */
  @WithDefault("/sys/fs/cgroup")
  Path cgroupDirectory();

  /**
   * Name or address of this node in the network that carries device state; where it is not said,
   * the one that the operator reaches the agent at.
   */
  Optional<String> stateHost();

  /** Where {@code tls.crt}, {@code tls.key}, {@code ca.crt} are; read again without a restart. */
  @WithDefault("/etc/vfio-migration/tls")
  Path tlsDirectory();

  /** How often the certificates of the control service are looked at. */
  @WithDefault("30s")
  Duration certificateReloadPeriod();

  /** The name that a caller's certificate must carry: nobody else may command this agent. */
  @WithDefault("operator.migration.vfio.dev")
  String operatorName();

  /**
   * Sessions under way at once. More are refused with {@code NO_CAPACITY}, as is one that direct
   * memory is too small for.
   */
  @WithDefault("16")
  int maximumSessions();

  /**
   * Bytes that all DMA windows of one device may have, such as {@code 256G} (GiB); a migration of
   * more is refused before anything is touched. While a source copies, it keeps a bit for each
   * page: 32 KiB of heap for each GiB in pages of 4 KiB, so 8 MiB for this default, and that for
   * every session under way.
   */
  @WithDefault("256G")
  MemorySize maximumWindowMemory();

  /** Sessions that ended and that the agent still answers for. */
  @WithDefault("100")
  int rememberedSessions();

  /** How long a session that ended is remembered. */
  @WithDefault("24h")
  Duration rememberedFor();

  /** How long a workload may take to answer, also to stand still. */
  @WithDefault("30s")
  Duration workloadTimeout();

  /**
   * How long a look at one device may take: to reach it, to ask what it is, and to ask its
   * workload. A device that takes longer is listed as one that does not answer. One and a half
   * times this and two seconds must be no more than {@code operator.call-timeout}. Opening a device
   * that a process serves may take as long.
   */
  @WithDefault("5s")
  Duration deviceLookTimeout();

  /**
   * How long a command may wait for a thread. An agent where one waits longer is not alive and is
   * to be restarted.
   */
  @WithDefault("5s")
  Duration commandTimeout();

  /**
   * How long a source tries to connect a state stream again whose connection was lost, while the
   * workload runs. A destination waits twice as long for its source.
   */
  @WithDefault("5s")
  Duration streamResumeTime();

  /** The same at a source whose workload stands still: as much may be added to the pause. */
  @WithDefault("2s")
  Duration pausedStreamResumeTime();

  /** How long sessions may take to undo what may be undone when the agent is to end. */
  @WithDefault("20s")
  Duration stopTimeout();

  /** The name that {@link #stopTimeout()} had; it works in this release, with a warning. */
  Optional<Duration> stopPatience();
}
