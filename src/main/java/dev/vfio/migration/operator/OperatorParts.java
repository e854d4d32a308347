package dev.vfio.migration.operator;

import dev.vfio.migration.operator.admission.AdminNamespaces;
import dev.vfio.migration.operator.agents.AgentDirectory;
import dev.vfio.migration.operator.agents.AgentPods;
import dev.vfio.migration.operator.agents.AgentReports;
import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.health.MigrationMetrics;
import dev.vfio.migration.operator.inventory.ApiServerNodes;
import dev.vfio.migration.operator.inventory.NodeInventory;
import dev.vfio.migration.operator.reconciler.AbandonedLease;
import dev.vfio.migration.operator.reconciler.CallTimeout;
import dev.vfio.migration.operator.reconciler.LeaseFencing;
import dev.vfio.migration.operator.reconciler.WonLease;
import dev.vfio.migration.operator.record.ApiServerEvents;
import dev.vfio.migration.operator.record.ApiServerStore;
import dev.vfio.migration.operator.record.EventRecorder;
import dev.vfio.migration.operator.record.MigrationStore;
import dev.vfio.migration.operator.record.StatusRecord;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfiguration;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfigurationBuilder;
import io.quarkus.runtime.StartupEvent;
import jakarta.annotation.PreDestroy;
import jakarta.annotation.Priority;
import jakarta.enterprise.event.Observes;
import jakarta.enterprise.inject.Produces;
import jakarta.inject.Singleton;
import java.time.Clock;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/**
 * Produces the beans that depend on the configuration, on the API server or on a clock; the
 * container injects everything else by constructor. One instance: the lease and the fencing number
 * must speak of one identity.
 */
@Singleton
public class OperatorParts {
  /**
   * Differs for every start of the process, so that each start is a leader of its own and raises
   * the fencing number.
   */
  private final String identity =
      Optional.ofNullable(System.getenv("HOSTNAME"))
              .filter(name -> !name.isBlank())
              .orElse("operator")
          + "_"
          + UUID.randomUUID();

  private final OperatorConfig config;
  private final KubernetesClient client;
  private final ScheduledExecutorService leaseWatch =
      Executors.newSingleThreadScheduledExecutor(
          task -> {
            Thread thread = new Thread(task, "lease");
            thread.setDaemon(true);
            return thread;
          });

  public OperatorParts(OperatorConfig config, KubernetesClient client) {
    SettingsCheck.check(config);
    this.config = config;
    this.client = client;
  }

  /** Before the controller starts: it may wait for the lease. */
  void watchLease(@Observes @Priority(1) StartupEvent start, @Steady Clock steady) {
    OperatorConfig.Lease lease = config.lease();
    AbandonedLease abandoned =
        new AbandonedLease(
            client, config.namespace(), lease.name(), identity, lease.duration(), steady);
    long period = lease.retryPeriod().toMillis();
    leaseWatch.scheduleWithFixedDelay(abandoned::check, period, period, TimeUnit.MILLISECONDS);
  }

  @PreDestroy
  void end() {
    leaseWatch.shutdownNow();
  }

  @Produces
  @Singleton
  LeaderElectionConfiguration leaderElection(WonLease wonLease) {
    OperatorConfig.Lease lease = config.lease();
    return LeaderElectionConfigurationBuilder.aLeaderElectionConfiguration(lease.name())
        .withLeaseNamespace(config.namespace())
        .withIdentity(identity)
        .withLeaseDuration(lease.duration())
        .withRenewDeadline(lease.renewDeadline())
        .withRetryPeriod(lease.retryPeriod())
        .withLeaderCallbacks(new LeaderCallbacks(wonLease::won, () -> {}, holder -> {}))
        .build();
  }

  /** The time of day, for what people read. */
  @Produces
  @Singleton
  Clock clock() {
    return Clock.systemUTC();
  }

  @Produces
  @Singleton
  @Steady
  Clock steady() {
    return new SteadyClock();
  }

  @Produces
  @Singleton
  CallTimeout callTimeout() {
    return new CallTimeout(config.callTimeout());
  }

  @Produces
  @Singleton
  AdminNamespaces adminNamespaces() {
    return adminNamespaces(config);
  }

  static AdminNamespaces adminNamespaces(OperatorConfig config) {
    try {
      return AdminNamespaces.of(
          config.adminNamespaces().orElseGet(() -> List.of(config.namespace())));
    } catch (IllegalArgumentException wrong) {
      throw new IllegalArgumentException("operator.admin-namespaces: " + wrong.getMessage(), wrong);
    }
  }

  /**
   * @throws IllegalStateException naming the file, where the operator could command no agent: it
   *     fails now, and not once for each migration
   */
  @Produces
  @Singleton
  TlsFiles certificates(Clock clock) {
    TlsFiles files = new TlsFiles(config.tlsDirectory(), clock);
    try {
      files.load();
      return files;
    } catch (TlsFiles.CredentialsException unusable) {
      throw new IllegalStateException(unusable.getMessage(), unusable);
    }
  }

  @Produces
  @Singleton
  LeaseFencing fencing() {
    return new LeaseFencing(client, config.namespace(), config.lease().name(), identity);
  }

  @Produces
  @Singleton
  AgentDirectory agents(TlsFiles tls, @Steady Clock steady, AgentReports reports) {
    return new AgentDirectory(tls, steady, config.callTimeout(), reports);
  }

  @Produces
  @Singleton
  AgentPods pods(AgentDirectory agents) {
    return new AgentPods(client, config.namespace(), config.agentSelector(), agents);
  }

  @Produces
  @Singleton
  NodeInventory inventory(
      AgentDirectory agents, LeaseFencing fencing, Clock clock, @Steady Clock steady) {
    return new NodeInventory(
        new ApiServerNodes(client),
        agents,
        fencing::held,
        clock,
        steady,
        config.inventoryPeriod(),
        config.forgetNodeAfter());
  }

  @Produces
  @Singleton
  MigrationStore store() {
    return new ApiServerStore(client);
  }

  @Produces
  @Singleton
  EventRecorder events(Clock clock) {
    return new ApiServerEvents(client, clock, identity);
  }

  @Produces
  @Singleton
  StatusRecord record(
      MigrationStore store, EventRecorder events, MigrationMetrics metrics, @Steady Clock steady) {
    return new StatusRecord(store, events, metrics, steady, config.statusInterval());
  }
}
