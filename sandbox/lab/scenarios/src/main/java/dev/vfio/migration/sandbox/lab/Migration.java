package dev.vfio.migration.sandbox.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.io.IOException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/** A DeviceMigration that was applied, followed by watching it. Used by one thread. */
final class Migration {
  /** How long anything may take in guests whose processors are emulated. */
  static final Duration BOUND = Duration.ofMinutes(6);

  private static final ObjectMapper JSON = new ObjectMapper();
  private static final String NAMESPACE = "default";

  private final String name;
  private final Resource<GenericKubernetesResource> resource;

  /** What is to be moved. */
  record End(String node, String device) {
    Map<String, Object> spec() {
      return Map.of("nodeName", node, "device", device);
    }
  }

  private Migration(String name, Resource<GenericKubernetesResource> resource) {
    this.name = name;
    this.resource = resource;
  }

  /**
   * Applies a migration whose timeouts suit slow guests.
   *
   * @param live whether it copies while the workload runs
   * @param manual whether it stays in PreCopy until {@link #switchOver()}
   */
  static Migration apply(
      KubernetesClient client,
      String name,
      End source,
      End destination,
      boolean live,
      boolean manual) {
    Map<String, Object> spec = new LinkedHashMap<>();
    spec.put("source", source.spec());
    spec.put("destination", destination.spec());
    spec.put(
        "convergence",
        live
            ? Map.of("mode", "Live", "downtimeLimit", "20s", "maxDuration", "20m")
            : Map.of("mode", "Cold"));
    spec.put("switchover", manual ? "Manual" : "Automatic");
    String patience = BOUND.toMinutes() + "m";
    spec.put(
        "timeouts",
        Map.of(
            "validating", patience,
            "preparing", patience,
            "switchingOver", patience,
            "activating", patience,
            "rollingBack", patience,
            "agentUnavailable", patience));
    Resource<GenericKubernetesResource> resource =
        client.resource(
            new GenericKubernetesResourceBuilder()
                .withApiVersion("migration.vfio.dev/v1alpha1")
                .withKind("DeviceMigration")
                .withNewMetadata()
                .withName(name)
                .withNamespace(NAMESPACE)
                .endMetadata()
                .addToAdditionalProperties("spec", spec)
                .build());
    resource.fieldManager("kernel-lab").serverSideApply();
    return new Migration(name, resource);
  }

  String name() {
    return name;
  }

  /** By which agents know it. */
  String uid() {
    return resource.get().getMetadata().getUid();
  }

  void cancel() {
    patch("{\"spec\":{\"cancel\":true}}");
  }

  void switchOver() {
    patch("{\"spec\":{\"switchover\":\"Automatic\"}}");
  }

  private void patch(String merge) {
    resource.patch(PatchContext.of(PatchType.JSON_MERGE), merge);
  }

  /**
   * Waits for that phase.
   *
   * @throws IOException where it ended otherwise, or not in time; the message has the conditions
   */
  MigrationView awaitPhase(String phase) throws IOException {
    MigrationView view = await(it -> it.phase().equals(phase) || it.ended(), "phase " + phase);
    if (!view.phase().equals(phase)) {
      throw new IOException(
          "it ended as %s and not as %s: %s".formatted(view.phase(), phase, why(view)));
    }
    return view;
  }

  /** Waits until it ended or needs a person. */
  MigrationView awaitEnd() throws IOException {
    return await(MigrationView::ended, "an end");
  }

  /** Waits until the status is so. */
  MigrationView await(Predicate<MigrationView> condition, String what) throws IOException {
    AtomicReference<MigrationView> last = new AtomicReference<>(view());
    try {
      resource.waitUntilCondition(
          object -> {
            if (object == null) {
              return false;
            }
            last.set(MigrationView.of(JSON.valueToTree(object)));
            return condition.test(last.get());
          },
          BOUND.toSeconds(),
          TimeUnit.SECONDS);
      return last.get();
    } catch (KubernetesClientTimeoutException e) {
      throw new IOException(
          "waited %d s in vain for %s; it is in phase %s: %s"
              .formatted(BOUND.toSeconds(), what, last.get().phase(), why(last.get())),
          e);
    }
  }

  /** Reasons and messages of the conditions that say no. */
  static String why(MigrationView view) {
    StringBuilder text = new StringBuilder();
    for (MigrationView.Condition condition : view.refusals()) {
      text.append(
          "%s=False %s (%s) ".formatted(condition.type(), condition.reason(), condition.message()));
    }
    return text.isEmpty() ? "no condition says why" : text.toString().strip();
  }

  MigrationView view() {
    return MigrationView.of(status());
  }

  /** How long the workload stood still, as the status says; empty text where it does not. */
  String downtime() {
    return status().path("status").path("downtime").asText("");
  }

  private JsonNode status() {
    GenericKubernetesResource now = resource.get();
    return now == null ? JSON.createObjectNode() : JSON.valueToTree(now);
  }

  /** Deletes it and waits until it is gone, so that nothing of it is under way any more. */
  void delete() throws IOException {
    resource.delete();
    try {
      resource.waitUntilCondition(object -> object == null, BOUND.toSeconds(), TimeUnit.SECONDS);
    } catch (KubernetesClientTimeoutException e) {
      throw new IOException(
          "%s was deleted and is still there after %d s: %s"
              .formatted(name, BOUND.toSeconds(), why(view())),
          e);
    }
  }
}
