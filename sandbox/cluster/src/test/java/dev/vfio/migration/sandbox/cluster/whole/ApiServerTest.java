package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.client.KubernetesClient;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** The operator lives with an API server that ends and comes back, and with odd objects. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class ApiServerTest {

  @Test
  void aRestartOfTheApiServerDropsEveryWatchAndNothingElse(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster.scenario("restart").manual().begin().awaitSourceState("PRECOPY")) {
      cluster.cluster().restartApiServer();
      scenario.neverPaused();

      scenario.switchOver().succeeded();
    }
  }

  @Test
  void aDecisionThatCannotBeRecordedIsNotTaken(TestCluster cluster) throws Exception {
    try (Scenario scenario =
        cluster
            .scenario("no-record")
            // Long enough for the server to stand still before there is anything to decide.
            .destinationFault("stall=RESUME_COMPLETED:5000")
            .begin()
            .awaitFault(false)) {
      cluster.cluster().apiServer().suspend();
      try {
        scenario.awaitDestinationState("RESUME_COMPLETED");
        assertThat(scenario.states(scenario.pair().destination())).doesNotContain("RUNNING");
      } finally {
        cluster.cluster().apiServer().proceed();
      }

      scenario.endedSafely();
    }
  }

  /** As a newer version's objects look after a downgrade. */
  @Test
  void anObjectWithUnknownFieldsDoesNotKeepTheOperatorFromStarting(TestCluster cluster)
      throws Exception {
    KubernetesClient client = cluster.cluster().client();
    try (Scenario odd = cluster.scenario("odd").startDevices();
        Scenario usual = cluster.scenario("usual").startDevices()) {
      cluster.killOperator();
      preserveUnknownFields(client, true);
      odd.spec("fromTheFuture", Map.of("speed", "warp")).manual().apply();
      preserveUnknownFields(client, false);
      assertThat(odd.object().at("/spec/fromTheFuture/speed").asText()).isEqualTo("warp");

      cluster.restartOperator();

      usual.apply().succeeded();
      odd.awaitSourceState("PRECOPY").switchOver().succeeded();
    }
  }

  private static void preserveUnknownFields(KubernetesClient client, boolean preserve) {
    client
        .apiextensions()
        .v1()
        .customResourceDefinitions()
        .withName("devicemigrations.migration.vfio.dev")
        .edit(
            definition -> {
              spec(definition).setXKubernetesPreserveUnknownFields(preserve ? true : null);
              return definition;
            });
  }

  private static JSONSchemaProps spec(CustomResourceDefinition definition) {
    return definition
        .getSpec()
        .getVersions()
        .get(0)
        .getSchema()
        .getOpenAPIV3Schema()
        .getProperties()
        .get("spec");
  }
}
