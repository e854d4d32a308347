package dev.vfio.migration.operator.health;

import dev.vfio.migration.operator.api.DeviceMigration;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientException;
import jakarta.enterprise.context.ApplicationScoped;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.Readiness;

/** Ready while the API server answers and not every reconciliation fails. */
@Readiness
@ApplicationScoped
public class ReconcileReadiness implements HealthCheck {
  private final KubernetesClient client;
  private final ReconcileHealth health;

  public ReconcileReadiness(KubernetesClient client, ReconcileHealth health) {
    this.client = client;
    this.health = health;
  }

  @Override
  public HealthCheckResponse call() {
    var response = HealthCheckResponse.named("reconciliation");
    try {
      client
          .resources(DeviceMigration.class)
          .inAnyNamespace()
          .list(new io.fabric8.kubernetes.api.model.ListOptionsBuilder().withLimit(1L).build());
    } catch (KubernetesClientException unreachable) {
      return response
          .down()
          .withData("apiServer", String.valueOf(unreachable.getMessage()))
          .build();
    }
    return health
        .trouble()
        .map(trouble -> response.down().withData("everyReconciliationFails", trouble))
        .orElseGet(response::up)
        .build();
  }
}
