package dev.vfio.migration.operator.reference;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.record.EventReason;
import dev.vfio.migration.operator.status.ConditionReason;
import dev.vfio.migration.operator.status.ConditionType;
import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.api.model.apiextensions.v1.JSONSchemaProps;
import io.fabric8.kubernetes.api.model.apiextensions.v1.ValidationRule;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/** Renders {@code docs/reference.md}: tables of what the types, enums and settings say. */
final class ReferencePage {
  private final StringBuilder page = new StringBuilder();

  ReferencePage() {
    page.append(
        """
        # Reference

        Generated from the API types, the enums and the configuration interfaces: a change is made there, never in this file. How
        to read a status: [status.md](status.md). What to do about a reason: [troubleshooting.md](troubleshooting.md).
        """);
  }

  /** All fields of a kind, as its CRD has them. */
  void kind(CustomResourceDefinition definition) {
    var version = definition.getSpec().getVersions().get(0);
    JSONSchemaProps root = version.getSchema().getOpenAPIV3Schema();
    section(definition.getSpec().getNames().getKind());
    paragraph(
        "`%s/%s`, %s. %s"
            .formatted(
                definition.getSpec().getGroup(),
                version.getName(),
                definition.getSpec().getScope().equals("Namespaced")
                    ? "in a namespace"
                    : "of the whole cluster",
                root.getDescription()));
    header("field", "type", "default", "description", "accepted");
    for (String part : List.of("spec", "status")) {
      if (root.getProperties().containsKey(part)) {
        field(part, root.getProperties().get(part), root.getRequired().contains(part));
      }
    }
  }

  private void field(String path, JSONSchemaProps schema, boolean required) {
    String type = type(schema);
    row(
        code(path),
        type,
        required ? "required" : value(schema.getDefault()),
        schema.getDescription(),
        accepted(schema));
    JSONSchemaProps fields = schema.getItems() == null ? schema : schema.getItems().getSchema();
    String prefix = schema.getItems() == null ? path + "." : path + "[].";
    fields
        .getProperties()
        .forEach((name, field) -> field(prefix + name, field, fields.getRequired().contains(name)));
  }

  private static String type(JSONSchemaProps schema) {
    if (Boolean.TRUE.equals(schema.getXKubernetesIntOrString())) {
      return "integer or string";
    }
    if (schema.getItems() != null) {
      return "list of " + type(schema.getItems().getSchema());
    }
    return schema.getType();
  }

  private static String value(JsonNode value) {
    if (value == null) {
      return "";
    }
    return code(value.isTextual() ? value.asText() : value.toString());
  }

  private static String accepted(JSONSchemaProps schema) {
    List<String> limits = new ArrayList<>();
    if (!schema.getEnum().isEmpty()) {
      limits.add(
          schema.getEnum().stream()
              .map(ReferencePage::value)
              .sorted()
              .collect(Collectors.joining(", ")));
    }
    range(limits, "", schema.getMinimum(), schema.getMaximum());
    range(limits, " characters", schema.getMinLength(), schema.getMaxLength());
    range(limits, " items", schema.getMinItems(), schema.getMaxItems());
    if (schema.getPattern() != null) {
      limits.add(code(schema.getPattern()));
    }
    for (ValidationRule rule : schema.getXKubernetesValidations()) {
      limits.add(rule.getMessage());
    }
    return String.join("; ", limits);
  }

  private static void range(List<String> limits, String unit, Number least, Number most) {
    if (least != null && most != null) {
      limits.add(plain(least) + " to " + plain(most) + unit);
    } else if (least != null) {
      limits.add("at least " + plain(least) + unit);
    } else if (most != null) {
      limits.add("at most " + plain(most) + unit);
    }
  }

  private static String plain(Number number) {
    return BigDecimal.valueOf(number.doubleValue()).stripTrailingZeros().toPlainString();
  }

  /** Phases, conditions and events, with the descriptions of the enums. */
  void status() {
    section("Phases");
    header("phase", "terminal", "meaning");
    for (Phase phase : Phase.values()) {
      row(phase.text(), phase.terminal() ? "yes" : "no", phase.description());
    }
    section("Condition types");
    header("type", "meaning when True");
    for (ConditionType type : ConditionType.values()) {
      row(type.text(), type.description());
    }
    section("Condition reasons");
    header("reason", "meaning");
    for (ConditionReason reason : ConditionReason.values()) {
      row(reason.text(), reason.description());
    }
    section("Event reasons");
    header("reason", "type", "when");
    for (EventReason event : EventReason.values()) {
      row(event.text(), event.warning() ? "Warning" : "Normal", event.description());
    }
  }

  /** How the values of settings are written. */
  void settings() {
    section("Settings");
    paragraph(
        """
        A setting is a system property (`-Dagent.node-name=node-a`) or an environment variable; the chart sets the variables. A
        duration is a number with its unit, such as `500ms`, `10s` or `24h`; without a unit it counts seconds. A size is a number
        of bytes, or one with `K`, `M`, `G` or `T`, each 1024 times the one before. A list is separated by commas. A value that
        cannot be read, or cannot work, stops the start with a message that names the key.\
        """);
  }

  /** The settings of one program. */
  void settings(String program, List<SettingsSource.Setting> settings) {
    page.append("\n### ").append(program).append("\n");
    header("key", "environment", "type", "default", "description");
    for (SettingsSource.Setting setting : settings) {
      row(
          code(setting.key()),
          code(setting.environment()),
          type(setting.type()),
          setting.required() ? "required" : setting.fallback().map(ReferencePage::code).orElse(""),
          setting.description());
    }
  }

  private static String type(String java) {
    if (java.startsWith("Optional<")) {
      return type(java.substring("Optional<".length(), java.length() - 1));
    }
    if (java.startsWith("List<") || java.startsWith("Set<")) {
      return "list of " + type(java.substring(java.indexOf('<') + 1, java.length() - 1));
    }
    return switch (java) {
      case "String" -> "text";
      case "int", "Integer", "long" -> "number";
      case "boolean", "Boolean" -> "true or false";
      case "Duration" -> "duration";
      case "MemorySize" -> "size";
      case "Path" -> "path";
      default -> "word";
    };
  }

  String text() {
    return page.toString();
  }

  private void section(String title) {
    page.append("\n## ").append(title).append("\n");
  }

  private void paragraph(String text) {
    page.append("\n").append(text.strip()).append("\n");
  }

  private void header(String... titles) {
    page.append("\n");
    row(titles);
    page.append("|").append("---|".repeat(titles.length)).append("\n");
  }

  private void row(String... cells) {
    page.append("|");
    for (String cell : cells) {
      page.append(cell.isEmpty() ? " |" : " " + cell.replace("|", "\\|") + " |");
    }
    page.append("\n");
  }

  private static String code(String text) {
    return "`" + text + "`";
  }
}
