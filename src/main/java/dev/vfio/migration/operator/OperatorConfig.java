package dev.vfio.migration.operator;

import io.smallrye.config.ConfigMapping;
import io.smallrye.config.WithDefault;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/** How the operator is set up: {@code operator.*}, or {@code OPERATOR_*} in the environment. */
@ConfigMapping(prefix = "operator")
public interface OperatorConfig {
  /** Namespace of the agents' pods and of the leader's lease. */
  @WithDefault("vfio-migration")
  String namespace();

  /** Label selector of the agents' pods. */
  @WithDefault("app.kubernetes.io/component=node-agent")
  String agentSelector();

  /**
   * Namespaces in which a DeviceMigration may name any node and device; {@code *} stands for every
   * one. {@link #namespace()} alone where none is named.
   */
  Optional<List<String>> adminNamespaces();

  /** Directory with tls.crt, tls.key and ca.crt. */
  @WithDefault("/etc/vfio-migration/tls")
  Path tlsDirectory();

  /** How long one call to an agent may take. */
  @WithDefault("10s")
  Duration callTimeout();

  /**
   * How often the status of one migration may be written while nothing but its progress changes.
   */
  @WithDefault("1s")
  Duration statusInterval();

  /** How often every agent is asked for its devices, for the VfioNode objects. */
  @WithDefault("30s")
  Duration inventoryPeriod();

  /** How long a node must have had no agent before its VfioNode is deleted. */
  @WithDefault("10m")
  Duration forgetNodeAfter();

  /** Who leads, where there are several replicas. */
  Lease lease();

  /** The leader's lease. */
  interface Lease {
    /** Name of the lease. Its version in the API server is the fencing number. */
    @WithDefault("vfio-migration-operator")
    String name();

    /** How long a leader that vanished keeps the lease. */
    @WithDefault("15s")
    Duration duration();

    /**
     * How long a leader tries to renew before it gives up and ends. Shorter than {@link
     * #duration()}.
     */
    @WithDefault("10s")
    Duration renewDeadline();

    /** How often the lease is renewed or asked for. */
    @WithDefault("2s")
    Duration retryPeriod();
  }
}
