package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.SandboxNode;
import dev.vfio.migration.sandbox.cluster.process.ProcessLog;
import dev.vfio.migration.sandbox.cluster.process.Readiness;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;

/** The node agent in a guest: the same jar that a cluster runs. Used by one thread. */
final class GuestAgent {
  /** A Java machine starts some 25 times slower in a guest whose processor is emulated. */
  static final Duration START_BOUND = Duration.ofMinutes(6);

  private static final Duration LOOK_AGAIN = Duration.ofMillis(500);
  private static final String PROGRAM = "agent";

  /** What every Java machine with an event loop holds. */
  private static final Set<String> OWN_INODES =
      Set.of(
          "anon_inode:[eventpoll]",
          "anon_inode:[eventfd]",
          "anon_inode:[timerfd]",
          "anon_inode:inotify");

  private final GuestNode node;
  private final Path jar;
  private final Path archive;
  private long pid;

  /**
   * @param jar quarkus-run.jar, as the guest sees it
   * @param archive class data archive made with the same jar and Java
   */
  GuestAgent(GuestNode node, Path jar, Path archive) {
    this.node = node;
    this.jar = jar;
    this.archive = archive;
  }

  /** Starts it; does not wait. */
  void start() throws IOException, InterruptedException {
    pid = node.launch(PROGRAM, script());
  }

  private String script() {
    StringBuilder script = new StringBuilder();
    Path run = node.runDirectory();
    script.append(
        "mkdir -p %s %s %s %s\n"
            .formatted(
                Shell.quoted(run.resolve("journal")),
                Shell.quoted(run.resolve("vfio-user")),
                Shell.quoted(node.handoverDirectory()),
                Shell.quoted(run.resolve("tmp"))));
    environment()
        .forEach(
            (name, value) -> script.append("export %s=%s\n".formatted(name, Shell.quoted(value))));
    script.append("exec");
    for (String word : command()) {
      script.append(' ').append(Shell.quoted(word));
    }
    return script.append('\n').toString();
  }

  private Map<String, String> environment() {
    Path run = node.runDirectory();
    Map<String, String> environment = new LinkedHashMap<>();
    environment.put("AGENT_NODE_NAME", node.name());
    environment.put("AGENT_LISTEN_ADDRESS", node.listenAddress());
    environment.put("AGENT_STATE_HOST", node.stateHost());
    environment.put("AGENT_TLS_DIRECTORY", node.tls().toString());
    environment.put("AGENT_JOURNAL_DIRECTORY", run.resolve("journal").toString());
    environment.put("AGENT_VFIO_USER_DIRECTORY", run.resolve("vfio-user").toString());
    environment.put("AGENT_HANDOVER_DIRECTORY", node.handoverDirectory().toString());
    environment.put("AGENT_CGROUP_DIRECTORY", node.cgroups().toString());
    if (node.cdev()) {
      environment.put("AGENT_DEVICE_ACCESS", "cdev");
    }
    // What bounds an answer on real hardware ends a guest that is only slow.
    environment.put("AGENT_WORKLOAD_TIMEOUT", "300s");
    environment.put("AGENT_HANDOVER_TIMEOUT", "15s");
    environment.put("AGENT_STOP_TIMEOUT", "60s");
    environment.put("AGENT_DEVICE_LOOK_TIMEOUT", "60s");
    environment.put("AGENT_COMMAND_TIMEOUT", "60s");
    return environment;
  }

  private List<String> command() {
    Path temporary = node.runDirectory().resolve("tmp");
    return Stream.of(
            List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()),
            JvmFlags.quickStart(archive),
            List.of(
                "-Djava.io.tmpdir=" + temporary,
                "-Djna.tmpdir=" + temporary,
                "-jar",
                jar.toString()))
        .flatMap(List::stream)
        .toList();
  }

  /**
   * Waits until it is ready for migrations.
   *
   * @throws IOException where it ended first or was not ready in time
   */
  void awaitReady() throws IOException, InterruptedException {
    Readiness ready =
        Readiness.http(
            "http://" + node.address() + ":" + SandboxNode.HEALTH_PORT + "/q/health/ready");
    try {
      Waiting.until(
          "the agent of " + node.name() + " gets ready",
          START_BOUND,
          LOOK_AGAIN,
          () -> {
            if (ready.ready()) {
              return true;
            }
            if (!alive()) {
              throw new IOException("the agent of " + node.name() + " ended before it was ready");
            }
            return false;
          });
    } catch (IOException e) {
      throw new IOException(e.getMessage() + new ProcessLog(node.log(PROGRAM)).ending(), e);
    }
  }

  /** Starts it after {@link #kill()} and waits until it is ready. */
  void restart() throws IOException, InterruptedException {
    start();
    awaitReady();
  }

  boolean alive() throws IOException, InterruptedException {
    return node.holds("kill -0 " + pid);
  }

  /** SIGKILL; returns when the process has ended. */
  void kill() throws IOException, InterruptedException {
    node.run("kill -9 " + pid);
    Waiting.until(
        "the killed agent of " + node.name() + " has ended",
        GuestNode.COMMAND_BOUND,
        Duration.ofMillis(50),
        () -> !alive());
  }

  /** Whether one of its threads stands in a call into that kernel module. */
  boolean isInside(String module) throws IOException, InterruptedException {
    return node.holds("cat /proc/%d/task/*/stack | grep -qF '[%s]'".formatted(pid, module));
  }

  /** SIGSTOP: its sockets stay open, it answers nobody. */
  void suspend() throws IOException, InterruptedException {
    node.run("kill -STOP " + pid);
  }

  /** SIGCONT. */
  void proceed() throws IOException, InterruptedException {
    node.run("kill -CONT " + pid);
  }

  GuestNode node() {
    return node;
  }

  /** The agent's process number in the guest. */
  long pid() {
    return pid;
  }

  /**
   * The links of its open descriptors that belong to a device, its memory or its holder. Every
   * other anonymous inode is taken for one, so that the migration streams that drivers name as they
   * like are among them.
   */
  List<String> deviceDescriptors() throws IOException, InterruptedException {
    return node.run("ls -l /proc/%d/fd | sed -n 's/.* -> //p'".formatted(pid)).stream()
        .filter(
            link ->
                link.startsWith("/dev/vfio")
                    || link.startsWith("/dev/iommu")
                    || link.startsWith("/memfd:")
                    || link.startsWith("anon_inode:") && !OWN_INODES.contains(link))
        .toList();
  }

  /** How many descriptors it holds, but for libraries, which are opened as they are needed. */
  int descriptors() throws IOException, InterruptedException {
    return Integer.parseInt(
        node.run(
                "ls -l /proc/%d/fd 2>/dev/null | sed -n 's/.* -> //p' | grep -vc '[.]jar$'"
                    .formatted(pid))
            .get(0)
            .strip());
  }

  /** The most memory it has held so far, as the kernel puts it. */
  String peakMemory() throws IOException, InterruptedException {
    return String.join(
        "", node.run("sed -n 's/VmHWM:[[:space:]]*//p' /proc/%d/status".formatted(pid)));
  }
}
