package dev.vfio.migration.operator.api;

import com.fasterxml.jackson.databind.JsonNode;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionNames;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinitionVersion;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaPropsOrBool;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;

/**
 * Compares a CRD with the one of a past release: whatever that release accepted and stored must
 * still be accepted and keep its meaning. Additions are allowed. Whether one pattern or one CEL
 * rule accepts more than another cannot be computed, so every change of one counts as tightened.
 */
final class CrdCompatibility {
  private final String release;
  private final List<String> problems = new ArrayList<>();

  private CrdCompatibility(String release) {
    this.release = release;
  }

  /** What a user of the release would lose, one line each; each names the release and the field. */
  static List<String> problems(
      String release, CustomResourceDefinition old, CustomResourceDefinition now) {
    CrdCompatibility check = new CrdCompatibility(release);
    check.definition(old, now);
    return check.problems;
  }

  private void definition(CustomResourceDefinition old, CustomResourceDefinition now) {
    CustomResourceDefinitionNames was = old.getSpec().getNames();
    CustomResourceDefinitionNames is = now.getSpec().getNames();
    same("spec", "group", old.getSpec().getGroup(), now.getSpec().getGroup());
    same("spec", "scope", old.getSpec().getScope(), now.getSpec().getScope());
    same("spec.names", "kind", was.getKind(), is.getKind());
    same("spec.names", "plural", was.getPlural(), is.getPlural());
    same("spec.names", "singular", was.getSingular(), is.getSingular());
    kept("spec.names", "short name", was.getShortNames(), is.getShortNames());
    kept("spec.names", "category", was.getCategories(), is.getCategories());
    for (CustomResourceDefinitionVersion version : old.getSpec().getVersions()) {
      now.getSpec().getVersions().stream()
          .filter(candidate -> candidate.getName().equals(version.getName()))
          .filter(candidate -> candidate.getServed() || !version.getServed())
          .findFirst()
          .ifPresentOrElse(
              candidate -> version(version, candidate),
              () -> problem(version.getName(), "the version is not served any more"));
    }
  }

  private void version(CustomResourceDefinitionVersion old, CustomResourceDefinitionVersion now) {
    boolean hadStatus = old.getSubresources() != null && old.getSubresources().getStatus() != null;
    boolean hasStatus = now.getSubresources() != null && now.getSubresources().getStatus() != null;
    same(old.getName(), "status as a subresource", hadStatus, hasStatus);
    kept(
        old.getName(),
        "selectable field",
        each(old.getSelectableFields(), field -> field.getJsonPath()),
        each(now.getSelectableFields(), field -> field.getJsonPath()));
    schema(
        old.getName(), old.getSchema().getOpenAPIV3Schema(), now.getSchema().getOpenAPIV3Schema());
  }

  private void schema(String path, JSONSchemaProps old, JSONSchemaProps now) {
    if (!("integer".equals(old.getType()) && "number".equals(now.getType()))) {
      same(path, "type", old.getType(), now.getType());
    }
    values(path, old, now);
    limits(path, old, now);
    structure(path, old, now);
    Set<String> rules = new HashSet<>(each(old.getXKubernetesValidations(), this::rule));
    for (ValidationRule rule : now.getXKubernetesValidations()) {
      if (!rules.contains(rule(rule))) {
        problem(path, "the CEL rule is new or changed: " + rule.getRule());
      }
    }
    for (Map.Entry<String, JSONSchemaProps> field : old.getProperties().entrySet()) {
      String name = path + "." + field.getKey();
      JSONSchemaProps candidate = now.getProperties().get(field.getKey());
      if (candidate == null) {
        problem(name, "the field was removed");
      } else {
        schema(name, field.getValue(), candidate);
      }
    }
    for (String field : now.getRequired()) {
      if (!old.getRequired().contains(field)) {
        problem(path + "." + field, "the field is newly required");
      }
    }
  }

  /** Optional fields and their values. */
  private void values(String path, JSONSchemaProps old, JSONSchemaProps now) {
    if (old.getDefault() != null) {
      same(path, "default", old.getDefault(), now.getDefault());
    }
    List<String> accepted = each(now.getEnum(), JsonNode::asText);
    if (old.getEnum().isEmpty() && !accepted.isEmpty()) {
      problem(path, "an enum was introduced: " + accepted);
    } else if (!accepted.isEmpty()) {
      kept(path, "enum value", each(old.getEnum(), JsonNode::asText), accepted);
    }
    droppedOrSame(path, "pattern", old.getPattern(), now.getPattern());
    droppedOrSame(path, "format", old.getFormat(), now.getFormat());
    droppedOrSame(path, "multipleOf", old.getMultipleOf(), now.getMultipleOf());
    droppedOrSame(path, "not", old.getNot(), now.getNot());
    if (!old.getAnyOf().equals(now.getAnyOf()) && !now.getAnyOf().isEmpty()) {
      problem(path, "anyOf changed");
    }
    if (!old.getOneOf().equals(now.getOneOf()) && !now.getOneOf().isEmpty()) {
      problem(path, "oneOf changed");
    }
    if (!old.getAllOf().containsAll(now.getAllOf())) {
      problem(path, "allOf was extended");
    }
    granted(path, "null", old.getNullable(), now.getNullable());
    granted(
        path, "int or string", old.getXKubernetesIntOrString(), now.getXKubernetesIntOrString());
    granted(
        path,
        "unknown fields",
        old.getXKubernetesPreserveUnknownFields(),
        now.getXKubernetesPreserveUnknownFields());
  }

  private void limits(String path, JSONSchemaProps old, JSONSchemaProps now) {
    atMost(path, "maximum", old.getMaximum(), now.getMaximum());
    atMost(path, "maxLength", old.getMaxLength(), now.getMaxLength());
    atMost(path, "maxItems", old.getMaxItems(), now.getMaxItems());
    atMost(path, "maxProperties", old.getMaxProperties(), now.getMaxProperties());
    atLeast(path, "minimum", old.getMinimum(), now.getMinimum());
    atLeast(path, "minLength", old.getMinLength(), now.getMinLength());
    atLeast(path, "minItems", old.getMinItems(), now.getMinItems());
    atLeast(path, "minProperties", old.getMinProperties(), now.getMinProperties());
    granted(
        path,
        "the maximum itself",
        !yes(old.getExclusiveMaximum()),
        !yes(now.getExclusiveMaximum()));
    granted(
        path,
        "the minimum itself",
        !yes(old.getExclusiveMinimum()),
        !yes(now.getExclusiveMinimum()));
    granted(path, "equal items", !yes(old.getUniqueItems()), !yes(now.getUniqueItems()));
  }

  /** Lists and maps: what is in them, and how server-side apply merges them. */
  private void structure(String path, JSONSchemaProps old, JSONSchemaProps now) {
    same(path, "list type", old.getXKubernetesListType(), now.getXKubernetesListType());
    same(path, "list map keys", old.getXKubernetesListMapKeys(), now.getXKubernetesListMapKeys());
    same(path, "map type", old.getXKubernetesMapType(), now.getXKubernetesMapType());
    if (old.getItems() != null && now.getItems() != null) {
      schema(path + "[]", old.getItems().getSchema(), now.getItems().getSchema());
    }
    JSONSchemaPropsOrBool was = old.getAdditionalProperties();
    JSONSchemaPropsOrBool is = now.getAdditionalProperties();
    if (was != null && (is == null || (is.getSchema() == null && !yes(is.getAllows())))) {
      problem(path, "additional properties are not accepted any more");
    } else if (was != null && was.getSchema() != null && is.getSchema() != null) {
      schema(path + "{}", was.getSchema(), is.getSchema());
    } else if (was != null && is.getSchema() != null) {
      problem(path, "additional properties of any kind are not accepted any more");
    }
  }

  private void same(String path, String what, Object old, Object now) {
    if (!Objects.equals(old, now)) {
      problem(path, what + " changed from " + old + " to " + now);
    }
  }

  private void droppedOrSame(String path, String what, Object old, Object now) {
    if (now != null) {
      same(path, what, old, now);
    }
  }

  private void kept(String path, String what, Collection<String> old, Collection<String> now) {
    for (String value : old) {
      if (!now.contains(value)) {
        problem(path, what + " " + value + " was removed");
      }
    }
  }

  private void granted(String path, String what, Boolean old, Boolean now) {
    if (yes(old) && !yes(now)) {
      problem(path, what + " is not accepted any more");
    }
  }

  private void atMost(String path, String what, Number old, Number now) {
    if (now != null && (old == null || now.doubleValue() < old.doubleValue())) {
      problem(path, what + " was lowered from " + old + " to " + now);
    }
  }

  private void atLeast(String path, String what, Number old, Number now) {
    // A minimum of 0 for a length or a number of items says nothing.
    if (now != null
        && (old == null
            ? (what.equals("minimum") || now.doubleValue() > 0)
            : now.doubleValue() > old.doubleValue())) {
      problem(path, what + " was raised from " + old + " to " + now);
    }
  }

  private String rule(ValidationRule rule) {
    return rule.getRule() + "\n" + rule.getOptionalOldSelf();
  }

  private static boolean yes(Boolean value) {
    return Boolean.TRUE.equals(value);
  }

  private static <T> List<String> each(List<T> values, Function<T, String> text) {
    return values.stream().map(text).toList();
  }

  private void problem(String path, String what) {
    problems.add("release " + release + ", " + path + ": " + what);
  }
}
