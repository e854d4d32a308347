package dev.vfio.migration.operator.api;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import java.util.List;
import java.util.Map;

/** What the generator cannot say of {@link VfioNode}. */
final class NodeCrdPostProcessor {
  private static final List<CustomResourceColumnDefinition> COLUMNS =
      List.of(
          CrdPostProcessor.column(
              "Devices", "integer", ".status.counts.devices", "VFIO devices of the node"),
          CrdPostProcessor.column(
              "Migratable", "integer", ".status.counts.migratable", "Those that can be moved"),
          CrdPostProcessor.column(
              "Busy", "integer", ".status.counts.busy", "Those that somebody has open"),
          CrdPostProcessor.column(
              "Agent", "string", ".status.agentVersion", "Version of the node's agent"),
          CrdPostProcessor.column(
              "Reachable",
              "boolean",
              ".status.reachable",
              "Whether the operator reaches the agent"),
          CrdPostProcessor.column(
              "Age", "date", ".metadata.creationTimestamp", "When the agent was first seen"),
          CrdPostProcessor.wide(
              "Changed", "date", ".status.lastChange", "When anything of its status last changed"),
          CrdPostProcessor.wide(
              "Problem",
              "string",
              ".status.problem",
              "Why the agent is not reached, or could not list its devices"));

  private NodeCrdPostProcessor() {}

  static void finish(CustomResourceDefinition definition) {
    definition.getSpec().getNames().setCategories(List.of("vfio"));
    definition.getSpec().getVersions().forEach(NodeCrdPostProcessor::finish);
  }

  private static void finish(CustomResourceDefinitionVersion version) {
    version.setAdditionalPrinterColumns(COLUMNS);
    JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
    root.setDescription(
        "VfioNode lists the VFIO devices of one node that has an agent, and is named as the node."
            + " Only the operator writes it; it has no spec.");
    // A user has nothing to ask for here, so the definition has no spec.
    root.getProperties().remove("spec");
    JSONSchemaProps status = root.getProperties().get("status");
    status.setDescription("What the node's agent last reported. Only the operator writes it.");
    Map<String, JSONSchemaProps> fields = status.getProperties();
    fields.get("lastChange").setFormat("date-time");
    fields.get("counts").setXKubernetesMapType("atomic");
    JSONSchemaProps devices = fields.get("devices");
    devices.setXKubernetesListType("map");
    devices.setXKubernetesListMapKeys(List.of("id"));
    Map<String, JSONSchemaProps> device = devices.getItems().getSchema().getProperties();
    device.get("holder").setXKubernetesMapType("atomic");
    device.get("flags").setXKubernetesListType("atomic");
  }
}
