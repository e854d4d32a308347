package dev.vfio.migration.operator;

import dev.vfio.migration.operator.agents.AgentPods;
import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.decision.AdminNamespaces;
import dev.vfio.migration.operator.health.MigrationMetrics;
import dev.vfio.migration.operator.health.ReconcileHealth;
import dev.vfio.migration.operator.inventory.ApiServerNodes;
import dev.vfio.migration.operator.inventory.NodeInventory;
import dev.vfio.migration.operator.reconciler.AbandonedLease;
import dev.vfio.migration.operator.reconciler.LeaseFencing;
import dev.vfio.migration.operator.reconciler.Machinery;
import dev.vfio.migration.operator.record.ApiServerEvents;
import dev.vfio.migration.operator.record.ApiServerStore;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfiguration;
import io.javaoperatorsdk.operator.api.config.LeaderElectionConfigurationBuilder;
import io.micrometer.core.instrument.MeterRegistry;
import jakarta.annotation.PreDestroy;
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
 * Puts the operator together. One instance: the lease and the fencing number must speak of one
 * identity.
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
  private final ScheduledExecutorService leaseLooks =
      Executors.newSingleThreadScheduledExecutor(
          look -> {
            Thread thread = new Thread(look, "lease");
            thread.setDaemon(true);
            return thread;
          });

  public OperatorParts(OperatorConfig config, KubernetesClient client) {
    SettingsCheck.check(config);
    this.config = config;
    this.client = client;
  }

  @PreDestroy
  void end() {
    leaseLooks.shutdownNow();
  }

  @Produces
  @Singleton
  ReconcileHealth health() {
    return new ReconcileHealth();
  }

  @Produces
  @Singleton
  LeaderElectionConfiguration leaderElection() {
    OperatorConfig.Lease lease = config.lease();
    return LeaderElectionConfigurationBuilder.aLeaderElectionConfiguration(lease.name())
        .withLeaseNamespace(config.namespace())
        .withIdentity(identity)
        .withLeaseDuration(lease.duration())
        .withRenewDeadline(lease.renewDeadline())
        .withRetryPeriod(lease.retryPeriod())
        .build();
  }

  /**
   * @throws IllegalStateException naming the file, where the operator could command no agent: it is
   *     told now, and not by each migration
   */
  private static TlsFiles certificates(OperatorConfig config, Clock clock) {
    TlsFiles files = new TlsFiles(config.tlsDirectory(), clock);
    try {
      files.load();
      return files;
    } catch (TlsFiles.CredentialsException unusable) {
      throw new IllegalStateException(unusable.getMessage(), unusable);
    }
  }

  static AdminNamespaces adminNamespaces(OperatorConfig config) {
    try {
      return AdminNamespaces.of(
          config.adminNamespaces().orElseGet(() -> List.of(config.namespace())));
    } catch (IllegalArgumentException wrong) {
      throw new IllegalArgumentException("operator.admin-namespaces: " + wrong.getMessage(), wrong);
    }
  }

  @Produces
  @Singleton
  Machinery machinery(MeterRegistry meters, ReconcileHealth health) {
    Clock clock = Clock.systemUTC();
    Clock steady = new SteadyClock();
    LeaseFencing fencing =
        new LeaseFencing(client, config.namespace(), config.lease().name(), identity);
    AbandonedLease abandoned =
        new AbandonedLease(
            client,
            config.namespace(),
            config.lease().name(),
            identity,
            config.lease().duration(),
            steady);
    long period = config.lease().retryPeriod().toMillis();
    leaseLooks.scheduleWithFixedDelay(abandoned::look, period, period, TimeUnit.MILLISECONDS);
    return new Machinery(
        new Machinery.World(
            clock,
            steady,
            certificates(config, clock),
            config.callTimeout(),
            config.statusInterval(),
            adminNamespaces(config),
            new ApiServerStore(client),
            new ApiServerEvents(client, clock, identity),
            fencing,
            new MigrationMetrics(meters),
            health,
            agents -> new AgentPods(client, config.namespace(), config.agentSelector(), agents),
            agents ->
                new NodeInventory(
                    new ApiServerNodes(client),
                    agents,
                    fencing::held,
                    clock,
                    steady,
                    config.inventoryPeriod(),
                    config.forgetNodeAfter())));
  }
}
