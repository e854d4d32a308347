package dev.vfio.migration.sandbox.cluster.migration;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientTimeoutException;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Predicate;

/** A DeviceMigration that was applied, followed by watching it. Safe for use by several threads. */
public final class AppliedMigration {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final Resource<GenericKubernetesResource> resource;
  private final Duration bound;
  private final String name;

  private AppliedMigration(
      Resource<GenericKubernetesResource> resource, Duration bound, String name) {
    this.resource = resource;
    this.bound = bound;
    this.name = name;
  }

  /**
   * Server-side apply.
   *
   * @param manager of the fields
   * @param bound how long each wait for it may take
   */
  public static AppliedMigration apply(
      KubernetesClient client, String manager, GenericKubernetesResource object, Duration bound) {
    Resource<GenericKubernetesResource> resource = client.resource(object);
    resource.fieldManager(manager).serverSideApply();
    return new AppliedMigration(resource, bound, object.getMetadata().getName());
  }

  /** The object that {@link #apply} takes. */
  public static GenericKubernetesResource object(
      String namespace, String name, Map<String, ?> spec) {
    return new GenericKubernetesResourceBuilder()
        .withApiVersion("migration.vfio.dev/v1alpha1")
        .withKind("DeviceMigration")
        .withNewMetadata()
        .withName(name)
        .withNamespace(namespace)
        .endMetadata()
        .addToAdditionalProperties("spec", spec)
        .build();
  }

  public String name() {
    return name;
  }

  /** The uid by which agents know the migration. */
  public String uid() {
    return resource.get().getMetadata().getUid();
  }

  /** Sets spec.cancel. */
  public void cancel() {
    patch("{\"spec\":{\"cancel\":true}}");
  }

  /** Ends the wait of a migration with a manual switchover. */
  public void switchOver() {
    patch("{\"spec\":{\"switchover\":\"Automatic\"}}");
  }

  private void patch(String merge) {
    resource.patch(PatchContext.of(PatchType.JSON_MERGE), merge);
  }

  public boolean exists() {
    return resource.get() != null;
  }

  /** The whole object; an empty one where it does not exist. */
  public JsonNode object() {
    GenericKubernetesResource now = resource.get();
    return now == null ? JSON.createObjectNode() : JSON.valueToTree(now);
  }

  /** What its status says now. */
  public MigrationView view() {
    return MigrationView.of(object());
  }

  /** The status once it is so, or the last one within the bound. */
  public MigrationView watch(Predicate<MigrationView> condition) {
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
          bound.toSeconds(),
          TimeUnit.SECONDS);
      return last.get();
    } catch (KubernetesClientTimeoutException inVain) {
      return last.get();
    }
  }

  /**
   * Waits until the status is so.
   *
   * @throws IOException where it is not in time; the message has the conditions that say no
   */
  public MigrationView await(Predicate<MigrationView> condition, String what) throws IOException {
    MigrationView view = watch(condition);
    if (!condition.test(view)) {
      throw new IOException(
          "waited %d s in vain for %s; %s is in phase %s: %s"
              .formatted(bound.toSeconds(), what, name, view.phase(), view.why()));
    }
    return view;
  }

  /**
   * Waits for that phase.
   *
   * @throws IOException where it ended otherwise, or not in time
   */
  public MigrationView awaitPhase(String phase) throws IOException {
    MigrationView view = await(it -> it.phase().equals(phase) || it.ended(), "phase " + phase);
    if (!view.phase().equals(phase)) {
      throw new IOException(
          "%s ended as %s and not as %s: %s".formatted(name, view.phase(), phase, view.why()));
    }
    return view;
  }

  /** Waits until it ended or needs a person. */
  public MigrationView awaitEnd() throws IOException {
    return await(MigrationView::ended, "an end");
  }

  /** Deletes it; does not wait. */
  public void delete() {
    resource.delete();
  }

  /** Deletes it and waits until it does not exist any more: then nothing of it is under way. */
  public void deleteAndWait() throws IOException {
    resource.delete();
    try {
      resource.waitUntilCondition(object -> object == null, bound.toSeconds(), TimeUnit.SECONDS);
    } catch (KubernetesClientTimeoutException e) {
      throw new IOException(
          "%s was deleted and still exists after %d s: %s"
              .formatted(name, bound.toSeconds(), view().why()),
          e);
    }
  }
}
