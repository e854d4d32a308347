package dev.vfio.migration.sandbox.apiserver.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.api.model.StatusCause;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;

/**
 * What a CustomResourceDefinition makes of objects: defaults, pruning, schema and CEL rules; and
 * which definitions are refused.
 */
abstract class DefinitionContract extends ApiServerContract {
  @Test
  void defaultsAreFilledInFromTheOutsideInwards() {
    GenericKubernetesResource created = shipment(newShipment("defaults")).create();
    assertThat(spec(created))
        .containsEntry("streams", 1)
        .containsEntry("convergence", Map.of("mode", "Live", "downtimeLimit", "300ms"));
  }

  @Test
  void fieldsThatAreNotDeclaredArePruned() {
    GenericKubernetesResource object = newShipment("pruned");
    spec(object).put("sourc", Map.of("nodeName", "x"));
    spec(object).put("anything", Map.of("goes", Map.of("deep", 1)));
    spec(object).put("options", Map.of("free", "text"));
    GenericKubernetesResource created = shipment(object).create();
    assertThat(spec(created))
        .doesNotContainKey("sourc")
        .containsEntry("anything", Map.of("goes", Map.of("deep", 1)))
        .containsEntry("options", Map.of("free", "text"));
  }

  @Test
  void requiredFieldsAreRequired() {
    GenericKubernetesResource object = newShipment("required");
    spec(object).put("source", new LinkedHashMap<>());
    refused(() -> shipment(object).create(), "spec.source.nodeName", "Required value");
  }

  @Test
  void wrongValuesAreNamed() {
    refused(
        () -> create("streams", 99),
        "spec.streams",
        "Invalid value: 99: spec.streams in body should be less than or equal to 16");
    refused(
        () -> create("streams", "two"),
        "spec.streams",
        "Invalid value: \"string\": spec.streams in body must be of type integer: \"string\"");
    refused(
        () -> create("convergence", Map.of("mode", "Lukewarm")),
        "spec.convergence.mode",
        "Unsupported value: \"Lukewarm\": supported values: \"Live\", \"Cold\"");
    refused(
        () -> create("source", Map.of("nodeName", "Node A")),
        "spec.source.nodeName",
        "should match '^[a-z0-9-]+$'");
    refused(() -> create("note", "x".repeat(201)), "spec.note", "Too long");
    refused(
        () -> create("tags", List.of("a", "b", "c", "d", "e", "f", "g", "h", "i")),
        "spec.tags",
        "Too many: 9: must have at most 8 items");
  }

  @Test
  void listsThatAreSetsOrMapsHoldNothingTwice() {
    refused(() -> create("tags", List.of("a", "a")), "spec.tags[1]", "Duplicate value: \"a\"");
    refused(
        () -> create("ports", List.of(Map.of("name", "a"), Map.of("name", "a"))),
        "spec.ports[1]",
        "Duplicate value");
  }

  @Test
  void nullAndIntOrStringAreTakenWhereTheyAreAllowed() {
    Map<String, Object> spec = new LinkedHashMap<>(spec(newShipment("x")));
    spec.put("note", null);
    spec.put("limit", 5);
    assertThat(spec(shipment(newShipment("number", spec)).create())).containsEntry("limit", 5);
    spec.put("limit", "5Gi");
    assertThat(spec(shipment(newShipment("text", spec)).create())).containsEntry("limit", "5Gi");
    spec.put("limit", true);
    refused(() -> shipment(newShipment("flag", spec)).create(), "spec.limit", "Invalid value");
  }

  @Test
  void rulesAreCheckedWithTheirMessages() {
    refused(
        () -> create("destination", Map.of("nodeName", "node-a")),
        "spec",
        "Invalid value: \"object\": source and destination must differ");
    refused(
        () -> create("convergence", Map.of("downtimeLimit", "-1s")),
        "spec.convergence.downtimeLimit",
        "must be positive, is -1s");
  }

  @Test
  void rulesAboutTheOldValueAreCheckedOnUpdatesOnly() {
    Map<String, Object> spec = new LinkedHashMap<>(spec(newShipment("x")));
    spec.put("limit", 5);
    GenericKubernetesResource created = shipment(newShipment("immutable", spec)).create();
    spec(created).put("limit", 6);
    refused(() -> shipment(created).update(), "spec.limit", "Forbidden: limit is immutable");
  }

  @Test
  void rulesAreNotCheckedOnInvalidObjects() {
    Map<String, Object> spec = new LinkedHashMap<>(spec(newShipment("x")));
    spec.put("destination", Map.of("nodeName", "node-a"));
    spec.put("streams", 99);
    assertThatThrownBy(() -> shipment(newShipment("both", spec)).create())
        .hasMessageContaining(
            "some validation rules were not checked because the object was invalid")
        .hasMessageNotContaining("must differ");
  }

  @Test
  void aDefinitionThatIsCreatedIsServedAtOnceAndNoLongerWhenItIsDeleted() {
    CustomResourceDefinition definition = copy("parcels");
    client().resource(definition).create();
    try {
      awaitEstablished(definition);
      var parcels =
          client()
              .genericKubernetesResources(
                  new io.fabric8.kubernetes.client.dsl.base.ResourceDefinitionContext.Builder()
                      .withGroup("sandbox.vfio.dev")
                      .withVersion("v1")
                      .withKind("Parcels")
                      .withPlural("parcels")
                      .withNamespaced(true)
                      .build());
      assertThat(parcels.inNamespace(namespace).list().getItems()).isEmpty();
    } finally {
      client().resource(definition).delete();
    }
    assertThat(
            client().resource(definition).waitUntilCondition(Objects::isNull, 10, TimeUnit.SECONDS))
        .isNull();
  }

  @Test
  void aSchemaWithoutTypesIsRefused() {
    CustomResourceDefinition definition = copy("untyped");
    schema(definition).getProperties().get("spec").setType(null);
    refused(
        () -> client().resource(definition).create(),
        "spec.validation.openAPIV3Schema.properties[spec].type",
        "Required value: must not be empty for specified object fields");
  }

  @Test
  void aRuleThatDoesNotCompileIsRefused() {
    CustomResourceDefinition definition = copy("broken");
    ValidationRule rule = new ValidationRule();
    rule.setRule("self.nowhere == 1");
    schema(definition).getProperties().get("spec").setXKubernetesValidations(List.of(rule));
    refused(
        () -> client().resource(definition).create(),
        "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule",
        "undefined field 'nowhere'");
  }

  @Test
  void aRuleThatCostsTooMuchIsRefused() {
    CustomResourceDefinition definition = copy("expensive");
    schema(definition).getProperties().get("spec").getProperties().get("tags").setMaxItems(null);
    ValidationRule rule = new ValidationRule();
    rule.setRule("self.tags.all(a, self.tags.all(b, self.tags.all(c, a != b || b != c)))");
    schema(definition).getProperties().get("spec").setXKubernetesValidations(List.of(rule));
    refused(
        () -> client().resource(definition).create(),
        "spec.validation.openAPIV3Schema.properties[spec].x-kubernetes-validations[0].rule",
        "estimated rule cost");
  }

  @Test
  void aDefaultThatBreaksItsSchemaIsRefused() {
    CustomResourceDefinition definition = copy("misdefault");
    schema(definition)
        .getProperties()
        .get("spec")
        .getProperties()
        .get("streams")
        .setDefault(com.fasterxml.jackson.databind.node.IntNode.valueOf(99));
    refused(
        () -> client().resource(definition).create(),
        "spec.validation.openAPIV3Schema.properties[spec].properties[streams].default",
        "should be less than or equal to 16");
  }

  private GenericKubernetesResource create(String field, Object value) {
    GenericKubernetesResource object = newShipment("refused");
    spec(object).put(field, value);
    return shipment(object).create();
  }

  static void refused(ThrowingCallable write, String field, String message) {
    assertThatThrownBy(write)
        .isInstanceOfSatisfying(
            KubernetesClientException.class,
            e -> {
              assertThat(e.getCode()).as(e.getMessage()).isEqualTo(422);
              List<StatusCause> causes = e.getStatus().getDetails().getCauses();
              assertThat(causes)
                  .as(e.getMessage())
                  .anySatisfy(
                      cause -> {
                        assertThat(cause.getField()).isEqualTo(field);
                        assertThat(cause.getMessage()).contains(message);
                      });
            });
  }

  /** The shipments' definition under another name. */
  private static CustomResourceDefinition copy(String plural) {
    CustomResourceDefinition definition = definition("shipments.yaml");
    String kind = plural.substring(0, 1).toUpperCase(java.util.Locale.ROOT) + plural.substring(1);
    definition.getMetadata().setName(plural + ".sandbox.vfio.dev");
    var names = definition.getSpec().getNames();
    names.setPlural(plural);
    names.setSingular(plural);
    names.setKind(kind);
    names.setListKind(kind + "List");
    names.setShortNames(List.of());
    return definition;
  }

  private static JSONSchemaProps schema(CustomResourceDefinition definition) {
    return definition.getSpec().getVersions().get(0).getSchema().getOpenAPIV3Schema();
  }
}
