package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.operator.spec.Settings;
import io.fabric8.crdv2.generator.CRDGenerator;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceColumnDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The committed CRD is what the types say, and says what users and API servers need. */
class CrdTest {
  private static final Path DEFINITIONS = Path.of("..", "crds");
  private static final Path COMMITTED =
      DEFINITIONS.resolve("devicemigrations.migration.vfio.dev-v1.yml");
  private static final Path NODES = DEFINITIONS.resolve("vfionodes.migration.vfio.dev-v1.yml");
  private static final String MENDS_IT = "mvn -pl src -am package -DskipTests";

  @ParameterizedTest
  @ValueSource(classes = {DeviceMigration.class, VfioNode.class})
  void committedDefinitionIsWhatTheTypesSay(
      Class<? extends HasMetadata> type, @TempDir Path directory) throws IOException {
    new CRDGenerator()
        .customResourceClasses(type)
        .withPostProcessor(new CrdPostProcessor())
        .forCRDVersions("v1")
        .inOutputDir(directory.toFile())
        .generate();
    String name = HasMetadata.getFullResourceName(type) + "-v1.yml";
    Path file = DEFINITIONS.resolve(name);
    List<String> committed = Files.readAllLines(file);
    List<String> generated = Files.readAllLines(directory.resolve(name));
    for (int line = 0; line < Math.max(committed.size(), generated.size()); line++) {
      assertThat(line < committed.size() ? committed.get(line) : "(end)")
          .as(
              "line %d of %s is out of date; this mends it: %s",
              line + 1, file.normalize(), MENDS_IT)
          .isEqualTo(line < generated.size() ? generated.get(line) : "(end)");
    }
  }

  @Test
  void everyDefinitionIsOneOfATypeOfOurs() throws IOException {
    try (var files = Files.list(DEFINITIONS)) {
      assertThat(files).containsExactlyInAnyOrder(COMMITTED, NODES);
    }
  }

  @Test
  void aNodeBelongsToNoNamespaceAndIsReadAtAGlance() {
    CustomResourceDefinition nodes = definition(NODES);
    assertThat(nodes.getSpec().getScope()).isEqualTo("Cluster");
    assertThat(nodes.getSpec().getVersions().get(0).getAdditionalPrinterColumns())
        .filteredOn(column -> column.getPriority() == null)
        .extracting(CustomResourceColumnDefinition::getName)
        .containsExactly("Devices", "Migratable", "Busy", "Agent", "Reachable", "Age");
    assertThat(nodes.getSpec().getVersions().get(0).getAdditionalPrinterColumns())
        .filteredOn(column -> Integer.valueOf(1).equals(column.getPriority()))
        .extracting(CustomResourceColumnDefinition::getJsonPath)
        .as("in wide output")
        .containsExactly(".status.lastChange", ".status.problem");
    JSONSchemaProps root = root(NODES);
    assertThat(root.getProperties()).as("there is nothing to ask for").containsOnlyKeys("status");
    JSONSchemaProps devices = root.getProperties().get("status").getProperties().get("devices");
    assertThat(devices.getXKubernetesListType()).isEqualTo("map");
    assertThat(devices.getXKubernetesListMapKeys()).containsExactly("id");
    assertThat(devices.getItems().getSchema().getRequired()).contains("id");
  }

  @Test
  void columnsFollowTheOrderOfAMigration() {
    assertThat(version().getAdditionalPrinterColumns())
        .filteredOn(column -> column.getPriority() == null)
        .extracting(CustomResourceColumnDefinition::getName)
        .containsExactly("Phase", "Source", "Destination", "Device", "Pending", "Downtime", "Age");
  }

  @Test
  void wideOutputSaysWhereToAndWhy() {
    assertThat(version().getAdditionalPrinterColumns())
        .filteredOn(column -> Integer.valueOf(1).equals(column.getPriority()))
        .extracting(CustomResourceColumnDefinition::getName)
        .containsExactly("Destination Device", "Reason", "Handover", "Rate");
  }

  @Test
  void everyFieldIsDescribed() {
    for (Path file : List.of(COMMITTED, NODES)) {
      List<String> bare = new ArrayList<>();
      walk(
          "",
          root(file),
          (path, schema) -> {
            boolean described =
                schema.getDescription() != null && !schema.getDescription().isBlank();
            if (!described && !path.endsWith("[]")) {
              bare.add(path);
            }
          });
      assertThat(bare).as("%s", file).isEmpty();
    }
  }

  @Test
  void conditionsAreAMapByType() {
    JSONSchemaProps conditions =
        root().getProperties().get("status").getProperties().get("conditions");
    assertThat(conditions.getXKubernetesListType()).isEqualTo("map");
    assertThat(conditions.getXKubernetesListMapKeys()).containsExactly("type");
    assertThat(conditions.getItems().getSchema().getRequired()).contains("type");
  }

  @Test
  void rulesAreThereOnceEachWithAMessageAndBoundedStrings() {
    walk(
        "",
        root(),
        (path, schema) -> {
          List<ValidationRule> rules = schema.getXKubernetesValidations();
          assertThat(rules).as(path).extracting(ValidationRule::getRule).doesNotHaveDuplicates();
          assertThat(rules).as(path).allSatisfy(rule -> assertThat(rule.getMessage()).isNotBlank());
          if (path.startsWith(".spec")
              && "string".equals(schema.getType())
              && schema.getEnum().isEmpty()) {
            assertThat(schema.getMaxLength())
                .as("maxLength of %s, which bounds the cost of rules", path)
                .isNotNull();
          }
        });
    assertThat(root().getProperties().get("spec").getXKubernetesValidations())
        .extracting(ValidationRule::getMessage)
        .anyMatch(message -> message.contains("same device"))
        .anyMatch(message -> message.contains("cancel may only change from false to true"))
        .anyMatch(message -> message.contains("Manual to Automatic"));
  }

  @Test
  void patternsAreLegalAndSizesFitSixtyThreeBits() {
    walk(
        "",
        root(),
        (path, schema) -> {
          if (schema.getPattern() != null) {
            Pattern.compile(schema.getPattern());
          }
        });
    Pattern size = Pattern.compile(Convergence.SIZE);
    assertThat(List.of("0", "64Ki", "999999.999Ti", "100000000000000000"))
        .allMatch(text -> size.matcher(text).find());
    assertThat(List.of("-1", "1Ei", "1e3", "9999999Ti", "64KiB", ""))
        .noneMatch(text -> size.matcher(text).find());
    Pattern device = Pattern.compile(DeviceLocation.DEVICE);
    assertThat(
            List.of(
                "0000:65:00.0",
                "ffff:ff:1f.7",
                "10000:e1:00.0",
                "ffffffff:00:00.0",
                "vfio-user:gpu-0",
                "vfio-user:" + "g".repeat(63),
                "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001"))
        .allMatch(text -> device.matcher(text).find());
    assertThat(
            List.of(
                "vfio-user:",
                "vfio-user:../x",
                "0000:65:00.8",
                "000:65:00.0",
                "00001:65:00.0",
                "100000000:65:00.0",
                "0000:65:20.0",
                "0000:AF:00.0",
                "83B8F4F2-509F-382F-3C1E-E6BFE0FA1001",
                "vfio-user:" + "g".repeat(64),
                "GPU",
                "vfio-user:GPU",
                "/dev/vfio/1"))
        .noneMatch(text -> device.matcher(text).find());
  }

  @Test
  void defaultsAreTheOnesThatTheOperatorAssumes() throws Exception {
    Map<String, JSONSchemaProps> spec = root().getProperties().get("spec").getProperties();
    DeviceMigrationSpec defaulted =
        Serialization.unmarshal(
            """
            source: {nodeName: node-a, device: "vfio-user:gpu-0"}
            destination: {nodeName: node-b, device: "vfio-user:gpu-0"}
            convergence: %s
            transfer: %s
            timeouts: %s
            cancel: %s
            switchover: %s
            """
                .formatted(
                    defaults(spec.get("convergence")),
                    defaults(spec.get("transfer")),
                    defaults(spec.get("timeouts")),
                    spec.get("cancel").getDefault(),
                    spec.get("switchover").getDefault()),
            DeviceMigrationSpec.class);
    DeviceMigrationSpec bare =
        new DeviceMigrationSpec(
            defaulted.source(),
            defaulted.destination(),
            null,
            null,
            null,
            null,
            null,
            null,
            null,
            null);
    assertThat(defaulted.unreadable()).isNull();
    assertThat(Settings.of(defaulted)).isEqualTo(Settings.of(bare));
  }

  private static String defaults(JSONSchemaProps object) {
    List<String> fields = new ArrayList<>();
    object
        .getProperties()
        .forEach(
            (name, schema) -> {
              if (schema.getDefault() != null) {
                fields.add(name + ": " + schema.getDefault());
              }
            });
    return "{" + String.join(", ", fields) + "}";
  }

  private interface Visitor {
    void visit(String path, JSONSchemaProps schema);
  }

  private static void walk(String path, JSONSchemaProps schema, Visitor visitor) {
    visitor.visit(path, schema);
    schema.getProperties().forEach((name, property) -> walk(path + "." + name, property, visitor));
    if (schema.getItems() != null) {
      walk(path + "[]", schema.getItems().getSchema(), visitor);
    }
  }

  private static CustomResourceDefinitionVersion version() {
    return definition(COMMITTED).getSpec().getVersions().get(0);
  }

  private static CustomResourceDefinition definition(Path file) {
    try {
      return Serialization.unmarshal(Files.readString(file), CustomResourceDefinition.class);
    } catch (IOException unreadable) {
      throw new IllegalStateException(unreadable);
    }
  }

  private static JSONSchemaProps root() {
    return root(COMMITTED);
  }

  private static JSONSchemaProps root(Path file) {
    return definition(file).getSpec().getVersions().get(0).getSchema().getOpenAPIV3Schema();
  }
}
