package dev.vfio.migration.sandbox.apiserver.cel;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.cel.common.types.SimpleType;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.ListType;
import dev.vfio.migration.sandbox.apiserver.schema.Schema.Rule;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The x-kubernetes-validations of a whole schema, compiled, for objects that are otherwise valid.
 * Immutable and safe for any thread.
 */
public final class SchemaRules {
  private final Schema root;
  private final Map<Schema, List<CompiledRule>> rules = new IdentityHashMap<>();
  private final List<Cause> errors = new ArrayList<>();

  /** Compiles; a rule that does not compile is in {@link #errors} and is not run. */
  public SchemaRules(Schema schema) {
    this.root = visible(schema);
    if (hasRules(root)) {
      compile(root, new RuleCompiler(root), "", 1, true);
    }
  }

  /** Rules that do not compile or cost too much; fields are paths in the schema's text. */
  public List<Cause> errors() {
    return List.copyOf(errors);
  }

  /**
   * The rules that an object breaks.
   *
   * @param live the object as it is, null for a creation; rules about it are skipped then
   */
  public List<Cause> check(ObjectNode next, ObjectNode live) {
    List<Cause> causes = new ArrayList<>();
    if (!rules.isEmpty()) {
      check(next, live, root, "", causes);
    }
    return causes;
  }

  private void check(JsonNode value, JsonNode old, Schema schema, String path, List<Cause> causes) {
    if (value.isNull()) {
      return;
    }
    List<CompiledRule> ofSchema = rules.getOrDefault(schema, List.of());
    if (!ofSchema.isEmpty()) {
      Object self = RuleValues.of(value, schema);
      Object oldSelf = old == null || old.isNull() ? null : RuleValues.of(old, schema);
      ofSchema.forEach(rule -> rule.check(self, oldSelf, schema, path).ifPresent(causes::add));
    }
    if (value.isObject()) {
      for (Map.Entry<String, JsonNode> field : value.properties()) {
        Schema below = schema.field(field.getKey());
        JsonNode before = old == null ? null : old.get(field.getKey());
        check(field.getValue(), before, below, child(path, field.getKey(), schema), causes);
      }
    } else if (value.isArray()) {
      for (int i = 0; i < value.size(); i++) {
        JsonNode before = counterpart(value.get(i), old, schema);
        check(value.get(i), before, schema.item(), path + "[" + i + "]", causes);
      }
    }
  }

  /** The same item in the old list, if items have an identity. */
  private static JsonNode counterpart(JsonNode item, JsonNode old, Schema list) {
    if (old == null || list.listType() != ListType.MAP) {
      return null;
    }
    for (JsonNode candidate : old) {
      if (list.listMapKeys().stream()
          .allMatch(key -> Json.same(candidate.get(key), item.get(key)))) {
        return candidate;
      }
    }
    return null;
  }

  private void compile(
      Schema schema, RuleCompiler compiler, String path, double places, boolean correlatable) {
    List<CompiledRule> compiled = new ArrayList<>();
    for (int i = 0; i < schema.rules().size(); i++) {
      Rule rule = schema.rules().get(i);
      String at = path + ".x-kubernetes-validations[" + i + "]";
      compileRule(rule, schema, compiler, at, places, correlatable, compiled);
    }
    if (!compiled.isEmpty()) {
      rules.put(schema, List.copyOf(compiled));
    }
    schema
        .properties()
        .forEach(
            (name, below) ->
                compile(below, compiler, path + ".properties[" + name + "]", places, correlatable));
    if (schema.additional() != null) {
      double entries = places * RuleCost.maxItems(schema);
      compile(schema.additional(), compiler, path + ".additionalProperties", entries, correlatable);
    }
    if (schema.items() != null) {
      double items = places * RuleCost.maxItems(schema);
      boolean identified = correlatable && schema.listType() == ListType.MAP;
      compile(schema.items(), compiler, path + ".items", items, identified);
    }
  }

  private void compileRule(
      Rule rule,
      Schema schema,
      RuleCompiler compiler,
      String at,
      double places,
      boolean correlatable,
      List<CompiledRule> compiled) {
    if (rule.rule().isBlank()) {
      errors.add(FieldErrors.required(at + ".rule", "rule is not specified"));
      return;
    }
    if (rule.optionalOldSelf()) {
      errors.add(
          FieldErrors.forbidden(
              at + ".optionalOldSelf", "this server does not know optionalOldSelf"));
      return;
    }
    try {
      RuleCompiler.Expression condition = compiler.compile(rule.rule(), schema, SimpleType.BOOL);
      if (condition.usesOldSelf() && !correlatable) {
        errors.add(
            FieldErrors.invalid(
                at + ".rule",
                rule.rule(),
                "oldSelf cannot be used on the uncorrelatable portion of the schema within this"
                    + " list"));
        return;
      }
      double cost = RuleCost.of(condition, schema) * places;
      if (cost > RuleCost.LIMIT) {
        errors.add(
            FieldErrors.forbidden(
                at + ".rule",
                ("estimated rule cost exceeds budget by factor of %.1fx (try simplifying the rule,"
                     + " or adding maxItems, maxProperties, and maxLength where arrays, maps, and"
                     + " strings are declared)")
                    .formatted(cost / RuleCost.LIMIT)));
        return;
      }
      RuleCompiler.Expression message =
          rule.messageExpression().isBlank()
              ? null
              : compiler.compile(rule.messageExpression(), schema, SimpleType.STRING);
      compiled.add(new CompiledRule(rule, condition, message));
    } catch (IllegalArgumentException e) {
      errors.add(FieldErrors.invalid(at + ".rule", rule.rule(), e.getMessage()));
    }
  }

  private static boolean hasRules(Schema schema) {
    return !schema.rules().isEmpty()
        || schema.properties().values().stream().anyMatch(SchemaRules::hasRules)
        || schema.additional() != null
            && schema.additional() != Schema.UNKNOWN
            && hasRules(schema.additional())
        || schema.items() != null && hasRules(schema.items());
  }

  /** What rules see of an object: of its metadata only the names. */
  private static Schema visible(Schema schema) {
    ObjectNode text = (ObjectNode) schema.raw().deepCopy();
    ObjectNode metadata =
        Json.child(text, "properties").putObject("metadata").put("type", "object");
    ObjectNode names = metadata.putObject("properties");
    names.putObject("name").put("type", "string");
    names.putObject("generateName").put("type", "string");
    return Schema.parse(text);
  }

  private static String child(String path, String name, Schema parent) {
    if (parent.additional() != null && !parent.properties().containsKey(name)) {
      return path + "[" + name + "]";
    }
    return path.isEmpty() ? name : path + "." + name;
  }
}
