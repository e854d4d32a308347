package dev.vfio.migration.agent.configuration;

import static dev.vfio.migration.connections.settings.SettingRules.longerThanNothing;
import static dev.vfio.migration.connections.settings.SettingRules.notNegative;
import static dev.vfio.migration.connections.settings.SettingRules.require;

import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Refuses settings that can be read and cannot work, each by its name, before anything is begun.
 */
public final class SettingsCheck {
  private static final Pattern NODE_NAME =
      Pattern.compile("[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*");

  private static final int MAX_NODE_NAME = 253;
  private static final int MAX_PORT = 65535;

  private SettingsCheck() {}

  /**
   * @throws IllegalArgumentException naming the setting, its value and what it may be
   */
  public static void check(AgentConfig config) {
    String node = config.nodeName();
    require(
        NODE_NAME.matcher(node).matches() && node.length() <= MAX_NODE_NAME,
        "agent.node-name",
        node,
        "must be the name of this node in the cluster, as kubectl get nodes has it");
    require(
        !new InetSocketAddress(config.listenAddress(), 0).isUnresolved(),
        "agent.listen-address",
        config.listenAddress(),
        "must be an address of this machine; it cannot be resolved");
    ports(config);
    directories(config);
    durations(config);
    require(
        config.maximumSessions() > 0,
        "agent.maximum-sessions",
        config.maximumSessions(),
        "must be 1 or more");
    require(
        config.rememberedSessions() >= 0,
        "agent.remembered-sessions",
        config.rememberedSessions(),
        "must not be negative");
    require(
        config.maximumWindowMemory().asBigInteger().bitLength() < Long.SIZE,
        "agent.maximum-window-memory",
        config.maximumWindowMemory().asBigInteger(),
        "must be less than 8388608T");
  }

  private static void ports(AgentConfig config) {
    Map<String, Integer> ports = new LinkedHashMap<>();
    ports.put("agent.control-port", config.controlPort());
    ports.put("agent.state-port", config.statePort());
    ports.put("agent.health-port", config.healthPort());
    Set<Integer> taken = new HashSet<>();
    ports.forEach(
        (name, port) -> {
          require(port >= 0 && port <= MAX_PORT, name, port, "must be a TCP port, 1 to 65535");
          require(
              port == 0 || taken.add(port),
              name,
              port,
              "must not be the port of another of " + ports.keySet());
        });
  }

  private static void directories(AgentConfig config) {
    Map<String, Path> directories = new LinkedHashMap<>();
    directories.put("agent.journal-directory", config.journalDirectory());
    directories.put("agent.vfio-user-directory", config.vfioUserDirectory());
    directories.put("agent.handover-directory", config.handoverDirectory());
    directories.put("agent.cgroup-directory", config.cgroupDirectory());
    directories.forEach(
        (name, path) ->
            require(
                path.isAbsolute() && path.normalize().getNameCount() > 0,
                name,
                path,
                "must be the absolute path of a directory, and not /"));
  }

  private static void durations(AgentConfig config) {
    longerThanNothing("agent.handover-timeout", config.handoverTimeout());
    longerThanNothing("agent.certificate-reload-period", config.certificateReloadPeriod());
    longerThanNothing("agent.workload-timeout", config.workloadTimeout());
    longerThanNothing("agent.device-look-timeout", config.deviceLookTimeout());
    longerThanNothing("agent.command-timeout", config.commandTimeout());
    longerThanNothing("agent.stream-resume-time", config.streamResumeTime());
    longerThanNothing("agent.paused-stream-resume-time", config.pausedStreamResumeTime());
    notNegative("agent.remembered-for", config.rememberedFor());
    notNegative("agent.stop-timeout", RenamedSettings.stopTimeout(config));
  }
}
