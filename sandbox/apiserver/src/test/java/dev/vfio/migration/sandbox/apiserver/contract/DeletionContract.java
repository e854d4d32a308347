package dev.vfio.migration.sandbox.apiserver.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Deletion as an API server does it by itself: finalizers, preconditions, collections. */
abstract class DeletionContract extends ApiServerContract {
  private static final String FINALIZER = "sandbox.vfio.dev/hold";

  @Test
  void anObjectWithoutFinalizersIsRemovedAtOnce() {
    shipment(newShipment("gone")).create();
    shipment("gone").delete();
    assertThat(shipment("gone").get()).isNull();
  }

  @Test
  void finalizersKeepADeletedObjectUntilTheLastIsRemoved() {
    GenericKubernetesResource object = newShipment("held");
    object.getMetadata().setFinalizers(List.of(FINALIZER, "sandbox.vfio.dev/more"));
    shipment(object).create();
    shipment("held").delete();
    GenericKubernetesResource marked = shipment("held").get();
    assertThat(marked.getMetadata().getDeletionTimestamp()).isNotBlank();
    assertThat(marked.getMetadata().getDeletionGracePeriodSeconds()).isZero();

    marked.getMetadata().setFinalizers(List.of(FINALIZER));
    GenericKubernetesResource fewer = shipment(marked).update();
    fewer.getMetadata().setFinalizers(List.of());
    shipment(fewer).update();
    assertThat(shipment("held").get()).isNull();
  }

  @Test
  void aDeletedObjectTakesNoNewFinalizers() {
    GenericKubernetesResource object = newShipment("late");
    object.getMetadata().setFinalizers(List.of(FINALIZER));
    shipment(object).create();
    shipment("late").delete();
    GenericKubernetesResource marked = shipment("late").get();
    marked.getMetadata().setFinalizers(List.of(FINALIZER, "sandbox.vfio.dev/late"));
    DefinitionContract.refused(
        () -> shipment(marked).update(),
        "metadata.finalizers",
        "no new finalizers can be added if the object is being deleted");
    marked.getMetadata().setFinalizers(List.of());
    shipment(marked).update();
  }

  @Test
  void aDeletionMayBeBoundToAVersion() {
    GenericKubernetesResource created = shipment(newShipment("bound")).create();
    spec(created).put("streams", 2);
    shipment(created).update();
    assertThatThrownBy(
            () ->
                shipments()
                    .inNamespace(namespace)
                    .resource(created)
                    .lockResourceVersion(created.getMetadata().getResourceVersion())
                    .delete())
        .isInstanceOfSatisfying(
            KubernetesClientException.class, e -> assertThat(e.getCode()).isEqualTo(409));
    assertThat(shipment("bound").get()).isNotNull();
  }

  @Test
  void collectionsAreDeletedBySelector() {
    for (String name : List.of("one", "two", "three")) {
      GenericKubernetesResource object = newShipment(name);
      object.getMetadata().setLabels(java.util.Map.of("length", String.valueOf(name.length())));
      shipment(object).create();
    }
    shipments().inNamespace(namespace).withLabel("length", "3").delete();
    assertThat(shipments().inNamespace(namespace).list().getItems())
        .extracting(object -> object.getMetadata().getName())
        .containsExactly("three");
  }
}
