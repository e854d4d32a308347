package dev.vfio.migration.sandbox.apiserver.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.ManagedFieldsEntry;
import io.fabric8.kubernetes.api.model.PodBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Server-side apply: who owns what, what is removed, what is a conflict. */
abstract class ApplyContract extends ApiServerContract {
  @Test
  void applyCreatesAndRecordsTheOwner() {
    GenericKubernetesResource applied = apply("alice", newShipment("made"));
    assertThat(applied.getMetadata().getGeneration()).isEqualTo(1);
    ManagedFieldsEntry entry = entry(applied, "alice", "Apply");
    assertThat(entry.getFieldsType()).isEqualTo("FieldsV1");
    assertThat(entry.getApiVersion()).isEqualTo("sandbox.vfio.dev/v1");
    assertThat(fields(entry))
        .isEqualTo(
            map(
                "f:spec",
                maps(
                    "f:destination",
                    map("f:nodeName", Map.of()),
                    "f:source",
                    map("f:nodeName", Map.of()))));
    assertThat(spec(applied)).containsEntry("streams", 1);
  }

  @Test
  void applyingTheSameAgainChangesNothing() {
    GenericKubernetesResource first = apply("alice", newShipment("again"));
    GenericKubernetesResource second = apply("alice", newShipment("again"));
    assertThat(second.getMetadata().getResourceVersion())
        .isEqualTo(first.getMetadata().getResourceVersion());
  }

  @Test
  void whatIsNoLongerAppliedIsRemoved() {
    GenericKubernetesResource wanted = newShipment("less");
    spec(wanted).put("options", maps("a", "1", "b", "2"));
    spec(wanted).put("note", "hello");
    apply("alice", wanted);
    GenericKubernetesResource less = newShipment("less");
    spec(less).put("options", map("b", "2"));
    GenericKubernetesResource after = apply("alice", less);
    assertThat(spec(after)).containsEntry("options", map("b", "2")).doesNotContainKey("note");
  }

  @Test
  void whatSomebodyElseAppliesTooStays() {
    GenericKubernetesResource both = newShipment("shared");
    spec(both).put("options", map("common", "1"));
    apply("alice", both);
    GenericKubernetesResource bobs = newShipment("shared", map("options", map("common", "1")));
    apply("bob", bobs);
    GenericKubernetesResource after = apply("alice", newShipment("shared"));
    assertThat(spec(after)).containsEntry("options", map("common", "1"));
  }

  @Test
  void changingAnothersFieldIsAConflictUnlessForced() {
    GenericKubernetesResource alices = newShipment("conflict");
    spec(alices).put("streams", 2);
    apply("alice", alices);
    GenericKubernetesResource bobs = newShipment("conflict", map("streams", 3));
    assertThatThrownBy(() -> apply("bob", bobs))
        .isInstanceOfSatisfying(
            KubernetesClientException.class,
            e -> {
              assertThat(e.getCode()).isEqualTo(409);
              assertThat(e.getStatus().getMessage())
                  .isEqualTo(
                      "Apply failed with 1 conflict: conflict with \"alice\": .spec.streams");
              assertThat(e.getStatus().getDetails().getCauses())
                  .singleElement()
                  .satisfies(
                      cause -> {
                        assertThat(cause.getField()).isEqualTo(".spec.streams");
                        assertThat(cause.getReason()).isEqualTo("FieldManagerConflict");
                      });
            });
    GenericKubernetesResource forced =
        shipment(bobs).fieldManager("bob").forceConflicts().serverSideApply();
    assertThat(spec(forced)).containsEntry("streams", 3);
    assertThat(fields(entry(forced, "alice", "Apply")).toString()).doesNotContain("f:streams");
    assertThat(fields(entry(forced, "bob", "Apply")).toString()).contains("f:streams");
  }

  @Test
  void listsThatAreMapsMergeByTheirKeys() {
    GenericKubernetesResource alices = newShipment("ports");
    spec(alices).put("ports", List.of(maps("name", "a", "number", 1)));
    apply("alice", alices);
    GenericKubernetesResource bobs =
        newShipment("ports", map("ports", List.of(maps("name", "b", "number", 2))));
    GenericKubernetesResource both = apply("bob", bobs);
    assertThat(spec(both))
        .containsEntry(
            "ports",
            List.of(
                maps("name", "a", "number", 1, "protocol", "TCP"),
                maps("name", "b", "number", 2, "protocol", "TCP")));
    assertThat(fields(entry(both, "bob", "Apply")))
        .isEqualTo(
            map(
                "f:spec",
                map(
                    "f:ports",
                    map(
                        "k:{\"name\":\"b\"}",
                        maps(".", Map.of(), "f:name", Map.of(), "f:number", Map.of())))));
    GenericKubernetesResource alone = apply("bob", newShipment("ports", new LinkedHashMap<>()));
    assertThat(spec(alone))
        .containsEntry("ports", List.of(maps("name", "a", "number", 1, "protocol", "TCP")));
  }

  @Test
  void listsThatAreSetsMergeByTheirValues() {
    GenericKubernetesResource alices = newShipment("tags");
    spec(alices).put("tags", List.of("red", "blue"));
    apply("alice", alices);
    GenericKubernetesResource both =
        apply("bob", newShipment("tags", map("tags", List.of("green", "blue"))));
    assertThat((List<?>) spec(both).get("tags")).hasSize(3);
    GenericKubernetesResource after = apply("alice", newShipment("tags"));
    assertThat(spec(after)).containsEntry("tags", List.of("green", "blue"));
  }

  @Test
  void anUpdateTakesTheFieldsThatItChanges() {
    apply("alice", newShipment("updated"));
    GenericKubernetesResource updated =
        shipment("updated")
            .patch(
                new PatchContext.Builder()
                    .withPatchType(PatchType.JSON_MERGE)
                    .withFieldManager("bob")
                    .build(),
                "{\"spec\": {\"streams\": 5}}");
    assertThat(fields(entry(updated, "bob", "Update")))
        .isEqualTo(map("f:spec", map("f:streams", Map.of())));
    GenericKubernetesResource alices = newShipment("updated");
    spec(alices).put("streams", 6);
    assertThatThrownBy(() -> apply("alice", alices))
        .isInstanceOfSatisfying(
            KubernetesClientException.class,
            e ->
                assertThat(e.getStatus().getMessage())
                    .startsWith(
                        "Apply failed with 1 conflict: conflict with \"bob\" using"
                            + " sandbox.vfio.dev/v1")
                    .endsWith(": .spec.streams"));
  }

  @Test
  void statusIsAppliedApart() {
    apply("alice", newShipment("status"));
    GenericKubernetesResource status = newShipment("status", new LinkedHashMap<>());
    status.setAdditionalProperty("status", map("phase", "Running"));
    GenericKubernetesResource patched =
        shipment("status")
            .subresource("status")
            .patch(
                new PatchContext.Builder()
                    .withPatchType(PatchType.SERVER_SIDE_APPLY)
                    .withFieldManager("controller")
                    .withForce(true)
                    .build(),
                status);
    assertThat(status(patched)).containsEntry("phase", "Running");
    assertThat(patched.getMetadata().getGeneration()).isEqualTo(1);
    ManagedFieldsEntry entry = entry(patched, "controller", "Apply");
    assertThat(entry.getSubresource()).isEqualTo("status");
    assertThat(fields(entry)).isEqualTo(map("f:status", map("f:phase", Map.of())));
    GenericKubernetesResource again = apply("alice", newShipment("status"));
    assertThat(status(again)).containsEntry("phase", "Running");
  }

  @Test
  void aFieldThatIsNotDeclaredCannotBeApplied() {
    GenericKubernetesResource wrong = newShipment("wrong");
    spec(wrong).put("sourc", "x");
    assertThatThrownBy(() -> apply("alice", wrong))
        .hasMessageContaining(".spec.sourc: field not declared in schema");
  }

  @Test
  void finalizersAndOwnersMergeByValueAndUid() {
    GenericKubernetesResource one = newShipment("meta");
    one.getMetadata().setFinalizers(List.of("sandbox.vfio.dev/one"));
    apply("alice", one);
    GenericKubernetesResource two = newShipment("meta", new LinkedHashMap<>());
    two.getMetadata().setFinalizers(List.of("sandbox.vfio.dev/two"));
    GenericKubernetesResource both = apply("bob", two);
    assertThat(both.getMetadata().getFinalizers())
        .containsExactlyInAnyOrder("sandbox.vfio.dev/one", "sandbox.vfio.dev/two");
    GenericKubernetesResource without = apply("bob", newShipment("meta", new LinkedHashMap<>()));
    assertThat(without.getMetadata().getFinalizers()).containsExactly("sandbox.vfio.dev/one");
    shipment("meta")
        .edit(
            object -> {
              object.getMetadata().setFinalizers(List.of());
              return object;
            });
  }

  @Test
  void containersOfABuiltInKindMergeByName() {
    var pod =
        new PodBuilder()
            .withNewMetadata()
            .withName("pod")
            .withNamespace(namespace)
            .endMetadata()
            .withNewSpec()
            .addNewContainer()
            .withName("agent")
            .withImage("agent:1")
            .endContainer()
            .endSpec()
            .build();
    var created = client().resource(pod).fieldManager("alice").serverSideApply();
    assertThat(created.getSpec().getContainers()).hasSize(1);
    pod.getSpec().getContainers().get(0).setImage("agent:2");
    var changed = client().resource(pod).fieldManager("alice").serverSideApply();
    assertThat(changed.getSpec().getContainers())
        .singleElement()
        .satisfies(container -> assertThat(container.getImage()).isEqualTo("agent:2"));
    assertThat(
            changed
                .getMetadata()
                .getManagedFields()
                .get(0)
                .getFieldsV1()
                .getAdditionalProperties()
                .toString())
        .contains("k:{\"name\":\"agent\"}");
  }

  @Test
  void ordinaryWritesRecordManagedFieldsToo() {
    ConfigMap map = new ConfigMap();
    map.setMetadata(newShipment("plain").getMetadata());
    map.setData(Map.of("a", "1"));
    ConfigMap created = client().resource(map).create();
    ManagedFieldsEntry entry = created.getMetadata().getManagedFields().get(0);
    assertThat(entry.getManager()).isEqualTo("fabric8-kubernetes-client");
    assertThat(entry.getOperation()).isEqualTo("Update");
    assertThat(fields(entry)).isEqualTo(map("f:data", maps(".", Map.of(), "f:a", Map.of())));
  }

  private GenericKubernetesResource apply(String manager, GenericKubernetesResource object) {
    object.getMetadata().setManagedFields(null);
    return shipment(object).fieldManager(manager).serverSideApply();
  }

  private static ManagedFieldsEntry entry(
      GenericKubernetesResource object, String manager, String operation) {
    return object.getMetadata().getManagedFields().stream()
        .filter(
            entry -> entry.getManager().equals(manager) && entry.getOperation().equals(operation))
        .findFirst()
        .orElseThrow(
            () ->
                new AssertionError(
                    manager
                        + " owns nothing by "
                        + operation
                        + ": "
                        + object.getMetadata().getManagedFields()));
  }

  private static Map<String, Object> fields(ManagedFieldsEntry entry) {
    return entry.getFieldsV1().getAdditionalProperties();
  }

  private static Map<String, Object> maps(Object... keysAndValues) {
    Map<String, Object> map = new LinkedHashMap<>();
    for (int i = 0; i < keysAndValues.length; i += 2) {
      map.put((String) keysAndValues[i], keysAndValues[i + 1]);
    }
    return map;
  }
}
