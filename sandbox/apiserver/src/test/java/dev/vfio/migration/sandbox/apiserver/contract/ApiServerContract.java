package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.GenericKubernetesResourceList;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.MixedOperation;
import io.fabric8.kubernetes.client.dsl.Resource;
import io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;

/**
 * What clients may expect of an API server, sandbox or real. Subclasses say which server; each test
 * has a namespace of its own, so that one server serves them all.
 */
abstract class ApiServerContract {
  static final ResourceDefinitionContext SHIPMENTS =
      new ResourceDefinitionContext.Builder()
          .withGroup("sandbox.vfio.dev")
          .withVersion("v1")
          .withKind("Shipment")
          .withPlural("shipments")
          .withNamespaced(true)
          .build();

  String namespace;

  /** A client of the server under test; closed by the subclass. */
  abstract KubernetesClient client();

  @BeforeEach
  void prepareNamespaceAndDefinition() {
    CustomResourceDefinition definition = definition("shipments.yaml");
    if (client().resource(definition).get() == null) {
      client().resource(definition).create();
    }
    awaitEstablished(definition);
    namespace = "contract-" + UUID.randomUUID().toString().substring(0, 8);
    client()
        .resource(
            new NamespaceBuilder().withNewMetadata().withName(namespace).endMetadata().build())
        .create();
  }

  void awaitEstablished(CustomResourceDefinition definition) {
    client()
        .resource(definition)
        .waitUntilCondition(
            found ->
                found != null
                    && found.getStatus() != null
                    && found.getStatus().getConditions().stream()
                        .anyMatch(
                            c -> c.getType().equals("Established") && c.getStatus().equals("True")),
            10,
            TimeUnit.SECONDS);
  }

  MixedOperation<
          GenericKubernetesResource,
          GenericKubernetesResourceList,
          Resource<GenericKubernetesResource>>
      shipments() {
    return client().genericKubernetesResources(SHIPMENTS);
  }

  Resource<GenericKubernetesResource> shipment(String name) {
    return shipments().inNamespace(namespace).withName(name);
  }

  Resource<GenericKubernetesResource> shipment(GenericKubernetesResource object) {
    return shipments().inNamespace(namespace).resource(object);
  }

  /** A valid shipment. */
  GenericKubernetesResource newShipment(String name) {
    Map<String, Object> spec = new LinkedHashMap<>();
    spec.put("source", map("nodeName", "node-a"));
    spec.put("destination", map("nodeName", "node-b"));
    return newShipment(name, spec);
  }

  GenericKubernetesResource newShipment(String name, Map<String, Object> spec) {
    GenericKubernetesResource object = new GenericKubernetesResource();
    object.setApiVersion("sandbox.vfio.dev/v1");
    object.setKind("Shipment");
    object.setMetadata(
        new io.fabric8.kubernetes.api.model.ObjectMetaBuilder()
            .withName(name)
            .withNamespace(namespace)
            .build());
    object.setAdditionalProperty("spec", spec);
    return object;
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> spec(GenericKubernetesResource object) {
    return (Map<String, Object>) object.getAdditionalProperties().get("spec");
  }

  @SuppressWarnings("unchecked")
  static Map<String, Object> status(GenericKubernetesResource object) {
    return (Map<String, Object>) object.getAdditionalProperties().get("status");
  }

  /** A map that can be changed, with one entry. */
  static Map<String, Object> map(String key, Object value) {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put(key, value);
    return map;
  }

  static CustomResourceDefinition definition(String file) {
    try (InputStream yaml = ApiServerContract.class.getResourceAsStream("/definitions/" + file)) {
      return Serialization.unmarshal(yaml, CustomResourceDefinition.class);
    } catch (IOException e) {
      throw new UncheckedIOException(file + " cannot be read", e);
    }
  }
}
