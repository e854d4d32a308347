package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.configuration.RenamedSettings;
import dev.vfio.migration.agent.configuration.SettingsCheck;
import dev.vfio.migration.agent.configuration.UnknownSettings;
import dev.vfio.migration.agent.control.CommandLanes;
import dev.vfio.migration.agent.control.Inventory;
import dev.vfio.migration.agent.control.NodeIdentity;
import dev.vfio.migration.agent.control.SessionFeed;
import dev.vfio.migration.agent.journal.file.FencingFile;
import dev.vfio.migration.agent.journal.file.JournalDirectory;
import dev.vfio.migration.agent.machine.Timings;
import dev.vfio.migration.agent.session.Fencing;
import dev.vfio.migration.agent.session.SessionEnvironment;
import dev.vfio.migration.agent.session.Sessions;
import dev.vfio.migration.agent.session.Workloads;
import dev.vfio.migration.agent.stream.StreamSettings;
import dev.vfio.migration.agent.stream.netty.NettyStateStreams;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import dev.vfio.migration.vfio.freezer.Cgroups;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.linux.Host;
import dev.vfio.migration.vfio.memory.MemoryRoom;
import dev.vfio.migration.vfio.user.ServerTimeouts;
import dev.vfio.migration.vfio.user.VfioUserDirectory;
import io.micrometer.core.instrument.MeterRegistry;
import io.quarkus.runtime.ShutdownEvent;
import io.quarkus.runtime.Startup;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.config.ConfigProvider;
import org.eclipse.microprofile.config.inject.ConfigProperty;
import org.jboss.logging.Logger;

/**
 * Puts the agent together, goes on with what the journals hold before the first command is served,
 * and ends it in order.
 *
 * <p>An agent that is asked to end does not leave a workload paused for its own sake: every session
 * before its point of no return rolls back. Those behind it stay as they are, on disk, and the next
 * start of the agent goes on with them.
 */
@Singleton
@Startup
public class AgentNode {
  private static final Logger LOG = Logger.getLogger(AgentNode.class);

  /** The largest chunk that a device may hand out to the state stream. */
  private static final int MAX_CHUNK_BYTES = 64 << 20;

  /** The version of the state stream; see docs/state-stream.md. */
  private static final List<Integer> STREAM_VERSIONS = List.of(1, 2);

  private static final Duration DEVICES_PERIOD = Duration.ofSeconds(2);

  private static final Duration PROGRESS_INTERVAL = Duration.ofMillis(200);

  private final AgentConfig config;
  private final NodeIdentity identity;
  private final JournalDirectory journals;
  private final NettyStateStreams streams;
  private final SessionFeed feed;
  private final DeviceDirectory devices;
  private final KernelSide kernel;
  private final Sessions sessions;
  private final Inventory inventory;
  private final CommandLanes lanes;
  private final ScheduledExecutorService reports = oneThread("session-reports");

  /** On a thread apart from the reports': it reads what drivers have in sysfs. */
  private final DeviceFollower following;

  AgentNode(
      AgentConfig config,
      MeterRegistry metrics,
      @ConfigProperty(name = "quarkus.application.version") String version)
      throws IOException {
    UnknownSettings.refuse(ConfigProvider.getConfig().getPropertyNames(), System.getenv());
    SettingsCheck.check(config);
    RenamedSettings.warn(config);
    this.config = config;
    this.journals = new JournalDirectory(config.journalDirectory());
    DescriptorBudget descriptors = AgentPorts.budget(config);
    StreamSettings settings =
        StreamSettings.defaults()
            .withMaximumChunkBytes(MAX_CHUNK_BYTES)
            .withResume(config.streamResumeTime(), config.pausedStreamResumeTime());
    this.streams = listen(settings, descriptors);
    this.identity =
        new NodeIdentity(
            config.nodeName(),
            version,
            STREAM_VERSIONS,
            settings.maximumStreams(),
            UUID.randomUUID().toString());
    int pageSize = (int) Host.pageSize();
    this.kernel = KernelSide.of(config, KernelFiles.OF_THIS_MACHINE, pageSize);
    this.following =
        new DeviceFollower(
            KernelFiles.OF_THIS_MACHINE.devices(), kernel::followDevices, DEVICES_PERIOD);
    this.devices = new NodeDevices(servedDevices(pageSize), kernel);
    this.feed =
        new SessionFeed(
            PROGRESS_INTERVAL,
            System::nanoTime,
            (delay, task) -> reports.schedule(task, delay.toNanos(), TimeUnit.NANOSECONDS));
    this.sessions =
        new Sessions(
            environment(descriptors),
            journals,
            new Fencing(new FencingFile(config.journalDirectory())),
            new Sessions.Limits(
                config.maximumSessions(), config.rememberedSessions(), config.rememberedFor()),
            new Watchers(List.of(new SessionLog(), new SessionMetrics(metrics), feed)));
    // Every command needs the lock that this takes.
    this.lanes = new CommandLanes(config.commandTimeout(), sessions::snapshots);
    this.inventory =
        new Inventory(
            devices,
            (limit, awaited) ->
                workloads(limit, awaited ? kernel.workloads(limit) : kernel.listedWorkloads()),
            sessions,
            config.deviceLookTimeout());
    begin(descriptors);
  }

  private NettyStateStreams listen(StreamSettings settings, DescriptorBudget descriptors)
      throws IOException {
    try {
      return new NettyStateStreams(
          new InetSocketAddress(config.listenAddress(), config.statePort()),
          config.tlsDirectory(),
          settings,
          descriptors.state());
    } catch (IOException unusable) {
      journals.close();
      throw unusable;
    }
  }

  private DeviceDirectory servedDevices(int pageSize) {
    return new VfioUserDirectory(
        config.vfioUserDirectory(),
        pageSize,
        new ServerTimeouts(config.deviceLookTimeout(), ServerTimeouts.DEFAULT.toAnswer()));
  }

  private SessionEnvironment environment(DescriptorBudget descriptors) {
    return new SessionEnvironment(
        devices,
        workloads(config.workloadTimeout(), kernel.workloads(config.handoverTimeout())),
        new WindowFiles(descriptors.windows(), memoryRoom()),
        streams,
        new SystemClock(),
        SessionWorker::new,
        Timings.USUAL,
        config.maximumWindowMemory().asLongValue());
  }

  /** Goes on with what the journals hold, before the first command is served. */
  private void begin(DescriptorBudget descriptors) throws IOException {
    kernel.offerToThoseWhoCameBack();
    sessions.recover();
    kernel.thawLeftOvers(sessions.snapshots());
    following.start();
    logLimits(descriptors);
    LOG.infof(
        "node %s, agent %s, instance %s: %d sessions found in %s",
        config.nodeName(),
        identity.version(),
        identity.instanceId(),
        sessions.snapshots().size(),
        config.journalDirectory());
  }

  private MemoryRoom memoryRoom() {
    Cgroups cgroups =
        new Cgroups(config.cgroupDirectory(), new Processes(KernelFiles.OF_THIS_MACHINE.proc()));
    return new MemoryRoom(
        KernelFiles.OF_THIS_MACHINE.proc().resolve("meminfo"), cgroups::memoryLimit);
  }

  private void logLimits(DescriptorBudget descriptors) {
    LOG.infof(
        "%s; direct memory for the streams of all sessions: %d MiB",
        descriptors, streams.memoryLimit() >> 20);
    if (!descriptors.suffices()) {
      LOG.warnf(
          "this process may open %d file descriptors; with all sessions under way and all unknown"
              + " connections there more may be needed. Raise its limit (RLIMIT_NOFILE), or lower"
              + " agent.maximum-sessions.",
          descriptors.limit());
    }
  }

  private static ScheduledExecutorService oneThread(String name) {
    return Executors.newSingleThreadScheduledExecutor(
        task -> {
          Thread thread = new Thread(task, name);
          thread.setDaemon(true);
          return thread;
        });
  }

  @Produces
  @Singleton
  Sessions sessions() {
    return sessions;
  }

  @Produces
  @Singleton
  SessionFeed feed() {
    return feed;
  }

  @Produces
  @Singleton
  NodeIdentity identity() {
    return identity;
  }

  @Produces
  @Singleton
  CommandLanes lanes() {
    return lanes;
  }

  @Produces
  @Singleton
  Inventory inventory() {
    return inventory;
  }

  private Workloads workloads(Duration timeout, Workloads ofKernel) {
    Workloads served =
        new SocketWorkloads(
            config.vfioUserDirectory(),
            (int) Host.pageSize(),
            timeout,
            windowDirectories(config),
            config.journalDirectory().resolve("loaded-for"),
            new Processes(KernelFiles.OF_THIS_MACHINE.proc()));
    return device -> (NodeDevices.isServed(device) ? served : ofKernel).of(device);
  }

  /**
   * The directories beneath which the files behind windows lie.
   *
   * @throws IllegalArgumentException where one is not what the administrator can have meant
   */
  static List<Path> windowDirectories(AgentConfig config) {
    List<Path> directories = new ArrayList<>();
    directories.add(config.vfioUserDirectory().toAbsolutePath());
    for (Path directory : config.memoryDirectories().orElse(List.of())) {
      if (!directory.isAbsolute()
          || directory.getNameCount() == 0
          || !directory.equals(directory.normalize())) {
        throw new IllegalArgumentException(
            "agent.memory-directories: "
                + directory
                + " must be the absolute path of a directory, and not /: workloads may have every"
                + " file beneath it read and written that their user owns");
      }
      directories.add(directory);
    }
    return directories;
  }

  JournalDirectory journals() {
    return journals;
  }

  NettyStateStreams streams() {
    return streams;
  }

  /** Whether devices can be transferred to workloads, where this node has devices of the kernel. */
  boolean canHandOver() {
    return kernel.canHandOver();
  }

  void stop(@Observes ShutdownEvent event) throws InterruptedException, IOException {
    sessions.stop();
    if (!sessions.awaitSettled(RenamedSettings.stopTimeout(config))) {
      LOG.warnf(
          "sessions have not settled within %s; the next start goes on from the journal",
          RenamedSettings.stopTimeout(config));
    }
    inventory.close();
    lanes.close();
    streams.close();
    kernel.close();
    following.close();
    reports.shutdownNow();
    journals.close();
  }
}
