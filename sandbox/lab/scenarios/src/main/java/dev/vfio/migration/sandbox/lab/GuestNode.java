package dev.vfio.migration.sandbox.lab;

import dev.vfio.migration.sandbox.cluster.NodeAddress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;

/**
 * A node of the lab's cluster: a guest, and where things are in it.
 *
 * @param name of the Node object
 * @param guest takes commands
 * @param listenAddress where the agent listens, inside the guest
 * @param address how this machine reaches the agent's ports
 * @param stateHost where the other guest reaches the agent's state port
 * @param folder shared with the guest, under the same path there: logs, certificates, scripts
 * @param runDirectory inside the guest only, lost with it: journal, handover sockets, temporary
 *     files
 * @param cgroups the mount point of cgroup v2 inside the guest
 * @param cdev whether devices are opened by their own nodes, with iommufd; else by their groups
 */
record GuestNode(
    String name,
    Guest guest,
    String listenAddress,
    String address,
    String stateHost,
    Path folder,
    Path runDirectory,
    Path cgroups,
    boolean cdev) {

  /** A command that only looks at something; a guest under load may take seconds for it. */
  static final Duration COMMAND_BOUND = Duration.ofSeconds(60);

  /** Between this machine and the guest: operator and agent. */
  static final String CONTROL_LINK = "eth0";

  /** Between the guests: the state streams of their agents. */
  static final String STATE_LINK = "eth1";

  GuestNode {
    folder = folder.toAbsolutePath();
  }

  /** What the cluster's objects say about this node. */
  NodeAddress announced() {
    return new NodeAddress(name, address);
  }

  Path tls() {
    return folder.resolve("tls");
  }

  /** {@code agent.handover-directory}. */
  Path handoverDirectory() {
    return runDirectory.resolve("devices");
  }

  /** Runs a command that must succeed. */
  List<String> run(String command) throws IOException, InterruptedException {
    return guest.expect(command, COMMAND_BOUND);
  }

  /** Whether that shell condition holds in the guest. */
  boolean holds(String condition) throws IOException, InterruptedException {
    return guest.run(condition, COMMAND_BOUND).status() == 0;
  }

  /**
   * Starts a script that goes on after the command has returned, in a cgroup and a process group of
   * its own.
   *
   * @param program names the script, its cgroup and its log {@code NAME.log} in the node's folder
   * @param script for a POSIX shell; should end with {@code exec}
   * @return the process' number in the guest
   */
  long launch(String program, String script) throws IOException, InterruptedException {
    Path file = folder.resolve(program + ".sh");
    Path cgroup = cgroup(program);
    Files.writeString(
        file,
        """
        cd %s
        mkdir -p %s && echo $$ >%s/cgroup.procs || exit 1
        %s
        """
            .formatted(
                Shell.quoted(folder), Shell.quoted(cgroup), Shell.quoted(cgroup), script.strip()));
    List<String> output =
        run(
            "setsid sh %s </dev/null >>%s 2>&1 & echo $!"
                .formatted(Shell.quoted(file), Shell.quoted(log(program))));
    return Long.parseLong(output.get(output.size() - 1).strip());
  }

  /** Ends what an earlier run left in the guest, removes its devices and forgets its journals. */
  void clear() throws IOException, InterruptedException {
    for (String cgroup : run("cd %s && ls -d lab-* 2>/dev/null; true".formatted(cgroups))) {
      endProgram(cgroup.substring("lab-".length()));
    }
    run(
        "for device in /sys/bus/mdev/devices/*; do [ -e $device ] && echo 1 >$device/remove; done;"
            + " rm -rf %s/*".formatted(runDirectory));
  }

  /**
   * Brings links up or down; commands to the guest go another way.
   *
   * @param links with blanks between them
   */
  void setLinks(String links, boolean up) throws IOException, InterruptedException {
    run(
        "for link in %s; do busybox ip link set $link %s || exit 1; done"
            .formatted(links, up ? "up" : "down"));
  }

  /** The cgroup of a program started with {@link #launch}. */
  Path cgroup(String program) {
    return cgroups.resolve("lab-" + program);
  }

  /** What a program started with {@link #launch} writes. */
  Path log(String program) {
    return folder.resolve(program + ".log");
  }

  /** Ends whatever is left in that program's cgroup, frozen or not, and removes it. */
  void endProgram(String program) throws IOException, InterruptedException {
    String cgroup = Shell.quoted(cgroup(program));
    run(
        ("if [ -d %1$s ]; then echo 1 >%1$s/cgroup.kill; echo 0 >%1$s/cgroup.freeze;"
                + " n=0; until rmdir %1$s 2>/dev/null; do n=$((n+1)); [ $n -lt 200 ] || exit 1;"
                + " sleep 0.05; done; fi")
            .formatted(cgroup));
  }
}
