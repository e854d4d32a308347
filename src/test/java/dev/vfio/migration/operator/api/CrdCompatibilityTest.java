package dev.vfio.migration.operator.api;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.TextNode;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaPropsBuilder;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaPropsOrBool;
import io.fabric8.kubernetes.api.model.apiextensions.v1.SelectableField;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The CRDs accept what those of every release accepted. At a release, {@code crds/} is copied to a
 * folder of {@code released-crds} that has the release's name.
 */
class CrdCompatibilityTest {
  private static final Path RELEASES = Path.of("test", "resources", "released-crds");
  private static final Path CRDS = Path.of("..", "crds");
  private static final String MIGRATIONS = "devicemigrations.migration.vfio.dev-v1.yml";

  /** A problem as it is reported, and why users are expected to live with it. */
  private static final Map<String, String> WAIVERS =
      Map.of(
          "release 0.1.0, v1alpha1.spec: the CEL rule is new or changed: !has(oldSelf.takeBack) ||"
              + " (has(self.takeBack) && self.takeBack == oldSelf.takeBack)",
          "of a field that is new, which no object of that release has");

  @Test
  void everyReleasedDefinitionIsStillAccepted() throws IOException {
    List<String> problems = new ArrayList<>();
    for (Path release : filesIn(RELEASES)) {
      for (Path file : filesIn(release)) {
        Path now = CRDS.resolve(file.getFileName());
        if (Files.exists(now)) {
          problems.addAll(
              CrdCompatibility.problems(
                  release.getFileName().toString(), definition(file), definition(now)));
        } else {
          problems.add("release " + release.getFileName() + ": " + now + " was removed");
        }
      }
    }
    assertThat(problems)
        .as("what breaks users of a release; where that is wanted, WAIVERS says so and why")
        .containsExactlyInAnyOrderElementsOf(WAIVERS.keySet());
  }

  @Test
  void thereIsAReleaseToCompareWith() throws IOException {
    assertThat(filesIn(RELEASES)).isNotEmpty();
    for (Path release : filesIn(RELEASES)) {
      assertThat(filesIn(release)).as("%s", release).isNotEmpty();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("incompatibilities")
  void incompatibleChangeIsRefusedWithReleaseAndField(
      String expected, Consumer<CustomResourceDefinition> change) throws IOException {
    assertThat(changed(change)).containsExactly("release 0.1.0, " + expected);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("additions")
  void additionIsAllowed(String name, Consumer<CustomResourceDefinition> change)
      throws IOException {
    assertThat(changed(change)).isEmpty();
  }

  private static List<Arguments> incompatibilities() {
    return List.of(
        change(
            "spec: group changed from migration.vfio.dev to x.dev",
            d -> d.getSpec().setGroup("x.dev")),
        change(
            "spec: scope changed from Namespaced to Cluster", d -> d.getSpec().setScope("Cluster")),
        change(
            "spec.names: kind changed from DeviceMigration to Move",
            d -> d.getSpec().getNames().setKind("Move")),
        change(
            "spec.names: plural changed from devicemigrations to moves",
            d -> d.getSpec().getNames().setPlural("moves")),
        change(
            "spec.names: short name dmig was removed",
            d -> d.getSpec().getNames().setShortNames(List.of())),
        change(
            "v1alpha1: the version is not served any more",
            d -> d.getSpec().getVersions().get(0).setName("v1")),
        change(
            "v1alpha1: the version is not served any more",
            d -> d.getSpec().getVersions().get(0).setServed(false)),
        change(
            "v1alpha1: status as a subresource changed from true to false",
            d -> d.getSpec().getVersions().get(0).setSubresources(null)),
        change(
            "v1alpha1: selectable field .status.phase was removed",
            d ->
                d.getSpec()
                    .getVersions()
                    .get(0)
                    .getSelectableFields()
                    .remove(new SelectableField(".status.phase"))),
        change(
            "v1alpha1.spec.cancel: the field was removed",
            d -> at(d, "spec").getProperties().remove("cancel")),
        change(
            "v1alpha1.status.conditions[].reason: the field was removed",
            d ->
                at(d, "status", "conditions")
                    .getItems()
                    .getSchema()
                    .getProperties()
                    .remove("reason")),
        change(
            "v1alpha1.spec.cancel: type changed from boolean to string",
            d -> at(d, "spec", "cancel").setType("string")),
        change(
            "v1alpha1.spec.cancel: default changed from false to null",
            d -> at(d, "spec", "cancel").setDefault(null)),
        change(
            "v1alpha1.spec.switchover: enum value Manual was removed",
            d -> at(d, "spec", "switchover").setEnum(List.of(TextNode.valueOf("Automatic")))),
        change(
            "v1alpha1.spec.source.nodeName: an enum was introduced: [node-a]",
            d -> at(d, "spec", "source", "nodeName").setEnum(List.of(TextNode.valueOf("node-a")))),
        change(
            "v1alpha1.spec.source.nodeName: pattern changed from "
                + pattern("spec", "source", "nodeName")
                + " to ^a$",
            d -> at(d, "spec", "source", "nodeName").setPattern("^a$")),
        change(
            "v1alpha1.spec.source.nodeName: format changed from null to ipv4",
            d -> at(d, "spec", "source", "nodeName").setFormat("ipv4")),
        change(
            "v1alpha1.spec.source.nodeName: maxLength was lowered from 253 to 63",
            d -> at(d, "spec", "source", "nodeName").setMaxLength(63L)),
        change(
            "v1alpha1.spec.source.nodeName: minLength was raised from 1 to 2",
            d -> at(d, "spec", "source", "nodeName").setMinLength(2L)),
        change(
            "v1alpha1.spec.transfer.streams: maximum was lowered from 16.0 to 8.0",
            d -> at(d, "spec", "transfer", "streams").setMaximum(8.0)),
        change(
            "v1alpha1.spec.transfer.streams: minimum was raised from 1.0 to 2.0",
            d -> at(d, "spec", "transfer", "streams").setMinimum(2.0)),
        change(
            "v1alpha1.spec.transfer.streams: the maximum itself is not accepted any more",
            d -> at(d, "spec", "transfer", "streams").setExclusiveMaximum(true)),
        change(
            "v1alpha1.spec.transfer.streams: multipleOf changed from null to 2.0",
            d -> at(d, "spec", "transfer", "streams").setMultipleOf(2.0)),
        change(
            "v1alpha1.status.conditions: maxItems was lowered from null to 3",
            d -> at(d, "status", "conditions").setMaxItems(3L)),
        change(
            "v1alpha1.status.conditions: list type changed from map to atomic",
            d -> at(d, "status", "conditions").setXKubernetesListType("atomic")),
        change(
            "v1alpha1.spec.convergence.thresholdBytes: int or string is not accepted any more",
            d -> at(d, "spec", "convergence", "thresholdBytes").setXKubernetesIntOrString(null)),
        change(
            "v1alpha1.spec.convergence.thresholdBytes: anyOf changed",
            d ->
                at(d, "spec", "convergence", "thresholdBytes")
                    .setAnyOf(List.of(new JSONSchemaPropsBuilder().withType("string").build()))),
        change(
            "v1alpha1.spec.convergence: the field is newly required",
            d -> at(d, "spec").getRequired().add("convergence")),
        change(
            "v1alpha1.spec.tenant: the field is newly required",
            d -> {
              at(d, "spec").getProperties().put("tenant", text());
              at(d, "spec").getRequired().add("tenant");
            }),
        change(
            "v1alpha1.spec.transfer: the CEL rule is new or changed: self.streams < 9",
            d ->
                at(d, "spec", "transfer")
                    .getXKubernetesValidations()
                    .add(rule("self.streams < 9"))));
  }

  private static List<Arguments> additions() {
    return List.of(
        change(
            "an optional field with rules and required fields of its own",
            d -> {
              JSONSchemaProps tenant = text();
              tenant.setXKubernetesValidations(List.of(rule("self != ''")));
              JSONSchemaProps owner =
                  new JSONSchemaPropsBuilder()
                      .withType("object")
                      .addToProperties("tenant", tenant)
                      .withRequired("tenant")
                      .build();
              at(d, "spec").getProperties().put("owner", owner);
            }),
        change(
            "an enum value",
            d -> at(d, "spec", "switchover").getEnum().add(TextNode.valueOf("Scheduled"))),
        change("no enum any more", d -> at(d, "spec", "switchover").setEnum(List.of())),
        change(
            "wider limits",
            d -> {
              at(d, "spec", "transfer", "streams").setMaximum(32.0);
              at(d, "spec", "transfer", "streams").setMinimum(null);
              at(d, "spec", "source", "nodeName").setMaxLength(300L);
              at(d, "spec", "source", "nodeName").setPattern(null);
            }),
        change(
            "an integer that may be any number",
            d -> at(d, "spec", "transfer", "streams").setType("number")),
        change(
            "a rule less, and another message",
            d -> {
              at(d, "spec", "transfer").setXKubernetesValidations(List.of());
              at(d, "spec", "source")
                  .getXKubernetesValidations()
                  .forEach(rule -> rule.setMessage("no"));
            }),
        change("a field that need not be there any more", d -> at(d, "spec").getRequired().clear()),
        change(
            "properties of any name",
            d -> at(d, "spec").setAdditionalProperties(new JSONSchemaPropsOrBool(true, null))),
        change("another description", d -> at(d, "spec").setDescription("other")),
        change("a short name", d -> d.getSpec().getNames().setShortNames(List.of("dmig", "dm"))),
        change(
            "a version",
            d -> {
              var versions = new ArrayList<>(d.getSpec().getVersions());
              var next = Serialization.clone(versions.get(0));
              next.setName("v1beta1");
              versions.add(next);
              d.getSpec().setVersions(versions);
            }));
  }

  private static Arguments change(String text, Consumer<CustomResourceDefinition> change) {
    return Arguments.of(text, change);
  }

  private static List<String> changed(Consumer<CustomResourceDefinition> change)
      throws IOException {
    Path file = RELEASES.resolve("0.1.0").resolve(MIGRATIONS);
    CustomResourceDefinition now = definition(file);
    change.accept(now);
    return CrdCompatibility.problems("0.1.0", definition(file), now);
  }

  private static String pattern(String... path) {
    try {
      return at(definition(RELEASES.resolve("0.1.0").resolve(MIGRATIONS)), path).getPattern();
    } catch (IOException unreadable) {
      throw new IllegalStateException(unreadable);
    }
  }

  private static JSONSchemaProps at(CustomResourceDefinition definition, String... path) {
    JSONSchemaProps schema =
        definition.getSpec().getVersions().get(0).getSchema().getOpenAPIV3Schema();
    for (String name : path) {
      schema = schema.getProperties().get(name);
    }
    return schema;
  }

  private static JSONSchemaProps text() {
    return new JSONSchemaPropsBuilder().withType("string").build();
  }

  private static ValidationRule rule(String rule) {
    ValidationRule result = new ValidationRule();
    result.setRule(rule);
    return result;
  }

  private static List<Path> filesIn(Path directory) throws IOException {
    try (var files = Files.list(directory)) {
      return files.sorted().toList();
    }
  }

  private static CustomResourceDefinition definition(Path file) throws IOException {
    return Serialization.unmarshal(Files.readString(file), CustomResourceDefinition.class);
  }
}
