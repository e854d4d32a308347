package dev.vfio.migration.sandbox.apiserver.cel;

import com.google.common.collect.ImmutableList;
import com.google.common.collect.ImmutableSet;
import dev.cel.common.types.CelType;
import dev.cel.common.types.CelTypeProvider;
import dev.cel.common.types.ListType;
import dev.cel.common.types.MapType;
import dev.cel.common.types.SimpleType;
import dev.cel.common.types.StructType;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The CEL types of a schema and of everything below it. Immutable once built. */
final class RuleTypes implements CelTypeProvider {
  private final Map<String, StructType> structures = new LinkedHashMap<>();
  private final Map<Schema, CelType> types = new IdentityHashMap<>();

  RuleTypes(Schema root) {
    type(root, "object");
  }

  /** The type of values of a schema that is in the tree. */
  CelType of(Schema schema) {
    return types.get(schema);
  }

  @Override
  public ImmutableList<CelType> types() {
    return ImmutableList.copyOf(structures.values());
  }

  @Override
  public Optional<CelType> findType(String name) {
    return Optional.ofNullable(structures.get(name));
  }

  private CelType type(Schema schema, String name) {
    CelType type = build(schema, name);
    types.put(schema, type);
    return type;
  }

  private CelType build(Schema schema, String name) {
    if (schema.intOrString()) {
      return SimpleType.DYN;
    }
    return switch (schema.type()) {
      case "object" -> object(schema, name);
      case "array" -> ListType.create(type(schema.item(), name + ".@item"));
      case "integer" -> SimpleType.INT;
      case "number" -> SimpleType.DOUBLE;
      case "boolean" -> SimpleType.BOOL;
      case "string" ->
          schema.format().equals("date-time") ? SimpleType.TIMESTAMP : SimpleType.STRING;
      default -> SimpleType.DYN;
    };
  }

  private CelType object(Schema schema, String name) {
    if (schema.additional() != null) {
      return MapType.create(SimpleType.STRING, type(schema.additional(), name + ".@value"));
    }
    if (schema.properties().isEmpty()) {
      return SimpleType.DYN;
    }
    Map<String, CelType> fields = new LinkedHashMap<>();
    schema
        .properties()
        .forEach(
            (field, below) ->
                Identifiers.escape(field)
                    .ifPresent(escaped -> fields.put(escaped, type(below, name + "." + field))));
    StructType structure =
        StructType.create(
            name,
            ImmutableSet.copyOf(fields.keySet()),
            field -> Optional.ofNullable(fields.get(field)));
    structures.put(name, structure);
    return structure;
  }
}
