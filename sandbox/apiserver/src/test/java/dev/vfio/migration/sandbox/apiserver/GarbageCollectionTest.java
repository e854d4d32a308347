package dev.vfio.migration.sandbox.apiserver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.sandbox.apiserver.contract.SandboxServer;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.DeletionPropagation;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.OwnerReference;
import io.fabric8.kubernetes.api.model.OwnerReferenceBuilder;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What a cluster's controllers do after a deletion, and this server does itself. */
class GarbageCollectionTest {
  private static final Duration SOON = Duration.ofSeconds(60);

  @RegisterExtension static final SandboxServer SERVER = new SandboxServer();

  @Test
  void dependentsAreRemovedAfterTheirOwner() {
    ConfigMap owner = create("background-owner");
    create("background-child", reference(owner, false));
    map("background-owner").delete();
    await().atMost(SOON).until(() -> map("background-child").get() == null);
  }

  @Test
  void dependentsWithAnotherOwnerStay() {
    ConfigMap first = create("first-owner");
    ConfigMap second = create("second-owner");
    create("shared-child", reference(first, false), reference(second, false));
    map("first-owner").delete();
    await()
        .atMost(SOON)
        .until(() -> map("shared-child").get().getMetadata().getOwnerReferences().size() == 1);
    assertThat(map("shared-child").get().getMetadata().getOwnerReferences().get(0).getName())
        .isEqualTo("second-owner");
  }

  @Test
  void aForegroundDeletionWaitsForTheDependentsThatBlockIt() {
    ConfigMap owner = create("waiting-owner");
    ConfigMap child =
        new ConfigMapBuilder(build("blocking-child", reference(owner, true)))
            .editMetadata()
            .addToFinalizers("sandbox.vfio.dev/hold")
            .endMetadata()
            .build();
    SERVER.client().resource(child).create();
    map("waiting-owner").withPropagationPolicy(DeletionPropagation.FOREGROUND).delete();
    await()
        .atMost(SOON)
        .until(() -> map("blocking-child").get().getMetadata().getDeletionTimestamp() != null);
    assertThat(map("waiting-owner").get().getMetadata().getFinalizers())
        .containsExactly("foregroundDeletion");
    release(map("blocking-child"));
    await().atMost(SOON).until(() -> map("waiting-owner").get() == null);
  }

  @Test
  void orphansStay() {
    ConfigMap owner = create("leaving-owner");
    create("orphan", reference(owner, false));
    map("leaving-owner").withPropagationPolicy(DeletionPropagation.ORPHAN).delete();
    await().atMost(SOON).until(() -> map("leaving-owner").get() == null);
    assertThat(map("orphan").get().getMetadata().getOwnerReferences()).isEmpty();
  }

  @Test
  void objectsOfAnOwnerThatWasRemovedBeforeAreCollected() {
    ConfigMap owner = create("short-lived");
    map("short-lived").delete();
    create("late-child", reference(owner, false));
    await().atMost(SOON).until(() -> map("late-child").get() == null);
  }

  @Test
  void aNamespaceIsRemovedAfterItsContent() {
    var namespace =
        new NamespaceBuilder().withNewMetadata().withName("doomed").endMetadata().build();
    SERVER.client().resource(namespace).create();
    ConfigMap held =
        new ConfigMapBuilder()
            .withNewMetadata()
            .withName("content")
            .withNamespace("doomed")
            .addToFinalizers("sandbox.vfio.dev/hold")
            .endMetadata()
            .build();
    SERVER.client().resource(held).create();
    SERVER.client().resource(namespace).delete();
    Resource<ConfigMap> content = SERVER.client().resource(held);
    await().atMost(SOON).until(() -> content.get().getMetadata().getDeletionTimestamp() != null);
    assertThat(SERVER.client().namespaces().withName("doomed").get().getStatus().getPhase())
        .isEqualTo("Terminating");
    release(content);
    await().atMost(SOON).until(() -> SERVER.client().namespaces().withName("doomed").get() == null);
  }

  @Test
  void aDefinitionIsRemovedAfterItsObjects() throws Exception {
    RawClient raw = new RawClient(SERVER.server().url());
    String definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    String shipments = "/apis/sandbox.vfio.dev/v1/namespaces/default/shipments";
    String yaml = Files.readString(Path.of("src/test/resources/definitions/shipments.yaml"));
    assertThat(
            raw.send("POST", definitions, Optional.of(yaml), "Content-Type", "application/yaml")
                .code())
        .isEqualTo(201);
    String held =
        """
        {"apiVersion": "sandbox.vfio.dev/v1", "kind": "Shipment",
         "metadata": {"name": "held", "finalizers": ["sandbox.vfio.dev/hold"]},
         "spec": {"source": {"nodeName": "a"}, "destination": {"nodeName": "b"}}}
        """;
    assertThat(raw.post(shipments, held).code()).isEqualTo(201);
    String definition = definitions + "/shipments.sandbox.vfio.dev";
    raw.send("DELETE", definition, Optional.empty());
    await()
        .atMost(SOON)
        .until(() -> raw.get(shipments + "/held").json().path("metadata").has("deletionTimestamp"));
    assertThat(raw.get(definition).code()).isEqualTo(200);
    raw.send(
        "PATCH",
        shipments + "/held",
        Optional.of("{\"metadata\": {\"finalizers\": null}}"),
        "Content-Type",
        "application/merge-patch+json");
    await().atMost(SOON).until(() -> raw.get(definition).code() == 404);
    assertThat(raw.get(shipments).code()).isEqualTo(404);
  }

  /** Takes the finalizers from an object. */
  private static void release(Resource<ConfigMap> map) {
    map.edit(
        object -> {
          object.getMetadata().setFinalizers(List.of());
          return object;
        });
  }

  private static ConfigMap create(String name, OwnerReference... owners) {
    return SERVER.client().resource(build(name, owners)).create();
  }

  private static ConfigMap build(String name, OwnerReference... owners) {
    return new ConfigMapBuilder()
        .withNewMetadata()
        .withName(name)
        .withNamespace("default")
        .withOwnerReferences(owners)
        .endMetadata()
        .build();
  }

  private static OwnerReference reference(ConfigMap owner, boolean blocks) {
    return new OwnerReferenceBuilder()
        .withApiVersion("v1")
        .withKind("ConfigMap")
        .withName(owner.getMetadata().getName())
        .withUid(owner.getMetadata().getUid())
        .withBlockOwnerDeletion(blocks)
        .build();
  }

  private static Resource<ConfigMap> map(String name) {
    return SERVER.client().configMaps().inNamespace("default").withName(name);
  }
}
