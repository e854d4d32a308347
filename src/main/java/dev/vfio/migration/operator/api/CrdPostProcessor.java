package dev.vfio.migration.operator.api;

import io.fabric8.crdv2.generator.CRDPostProcessor;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinitionBuilder;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.SelectableField;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * Finishes the generated CRD with what the generator cannot say: printer columns in the order of a
 * migration (it sorts them by name), the condition list as a map keyed by type, the category, what
 * integer-or-string sizes may look like, and descriptions of the top level. Run by the build, see
 * {@code application.properties}.
 */
public final class CrdPostProcessor implements CRDPostProcessor {
  private static final List<CustomResourceColumnDefinition> COLUMNS =
      List.of(
          column("Phase", "string", ".status.phase", "Where the migration stands"),
          column("Source", "string", ".spec.source.nodeName", "Node the device is moved from"),
          column(
              "Destination", "string", ".spec.destination.nodeName", "Node the device is moved to"),
          column("Device", "string", ".spec.source.device", "Device that is moved"),
          column("Pending", "string", ".status.pending.summary", "What is still to be copied"),
          column("Downtime", "string", ".status.downtime", "How long the workload was paused"),
          column("Age", "date", ".metadata.creationTimestamp", "When the migration was created"),
          wide(
              "Destination Device",
              "string",
              ".spec.destination.device",
              "Device that it is moved to"),
          wide(
              "Reason",
              "string",
              ".status.conditions[?(@.type==\"Succeeded\")].reason",
              "Why it is in that phase: the reason of the condition Succeeded"),
          wide(
              "Handover",
              "string",
              ".status.conditions[?(@.type==\"HandedOver\")].reason",
              "Who owns the state, or what that waits for: the reason of the condition HandedOver"),
          wide("Rate", "string", ".status.rate", "How fast it is being copied"));

  @Override
  public HasMetadata process(HasMetadata definition, String crdVersion) {
    if (definition instanceof CustomResourceDefinition crd
        && crd.getSpec().getNames().getKind().equals(DeviceMigration.KIND)) {
      crd.getSpec().getNames().setCategories(List.of("vfio"));
      crd.getSpec().getVersions().forEach(CrdPostProcessor::finish);
    }
    if (definition instanceof CustomResourceDefinition crd
        && crd.getSpec().getNames().getKind().equals(VfioNode.KIND)) {
      NodeCrdPostProcessor.finish(crd);
    }
    return definition;
  }

  private static void finish(CustomResourceDefinitionVersion version) {
    version.setAdditionalPrinterColumns(COLUMNS);
    version.setSelectableFields(
        List.of(
            new SelectableField(".spec.source.nodeName"),
            new SelectableField(".spec.destination.nodeName"),
            new SelectableField(".status.phase")));
    JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
    everySchemaIn(root).forEach(CrdPostProcessor::finish);
    root.setDescription(
        "DeviceMigration moves the state of one VFIO device, and the memory its workload declared,"
            + " from one node to a device of the same model on another node.");
    root.setRequired(List.of("spec"));
    Map<String, JSONSchemaProps> properties = root.getProperties();
    properties
        .get("spec")
        .setDescription("What is to be moved, and how. Immutable save cancel and switchover.");
    JSONSchemaProps status = properties.get("status");
    status.setDescription("What the operator observed and decided. Only the operator writes it.");
    JSONSchemaProps conditions = status.getProperties().get("conditions");
    conditions.setXKubernetesListType("map");
    conditions.setXKubernetesListMapKeys(List.of("type"));
    conditions
        .getItems()
        .getSchema()
        .getProperties()
        .get("lastTransitionTime")
        .setFormat("date-time");
    status
        .getProperties()
        .get("phaseTransitions")
        .getItems()
        .getSchema()
        .getProperties()
        .get("time")
        .setFormat("date-time");
    status.getProperties().get("phaseTransitions").setXKubernetesListType("atomic");
    List.of("pending", "rollback")
        .forEach(whole -> status.getProperties().get(whole).setXKubernetesMapType("atomic"));
  }

  private static void finish(JSONSchemaProps schema) {
    // A record component's annotation is on its field and on its accessor: the generator finds each
    // rule twice, and the API server
    // refuses a second rule with the same text.
    schema.setXKubernetesValidations(
        schema.getXKubernetesValidations().stream().distinct().toList());
    if (Boolean.TRUE.equals(schema.getXKubernetesIntOrString())) {
      schema.setPattern(Convergence.SIZE);
      schema.setMinimum(0.0);
    }
  }

  private static Stream<JSONSchemaProps> everySchemaIn(JSONSchemaProps schema) {
    Stream<JSONSchemaProps> items =
        schema.getItems() == null ? Stream.empty() : everySchemaIn(schema.getItems().getSchema());
    return Stream.concat(
        Stream.of(schema),
        Stream.concat(
            items,
            schema.getProperties().values().stream().flatMap(CrdPostProcessor::everySchemaIn)));
  }

  /** A column that is shown in wide output only. */
  static CustomResourceColumnDefinition wide(
      String name, String type, String path, String description) {
    return new CustomResourceColumnDefinitionBuilder(column(name, type, path, description))
        .withPriority(1)
        .build();
  }

  static CustomResourceColumnDefinition column(
      String name, String type, String path, String description) {
    return new CustomResourceColumnDefinitionBuilder()
        .withName(name)
        .withType(type)
        .withJsonPath(path)
        .withDescription(description)
        .build();
  }
}
