package dev.vfio.migration.sandbox.apiserver.definition;

import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.common.base.Suppliers;
import dev.vfio.migration.sandbox.apiserver.cel.SchemaRules;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.ObjectValidator;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.SchemaValidator;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/** Checks custom objects: first the schema, then, if that holds, its rules in CEL. */
final class CustomValidator implements ObjectValidator {
  private static final Cause RULES_SKIPPED =
      new Cause(
          "FieldValueInvalid",
          "Invalid value: \"null\": some validation rules were not checked because the object was"
              + " invalid; correct the existing errors to complete validation",
          "<nil>");

  private final SchemaValidator schema;
  private final boolean anyRules;
  private final Supplier<SchemaRules> rules;

  private CustomValidator(SchemaValidator schema, boolean anyRules, Supplier<SchemaRules> rules) {
    this.schema = schema;
    this.anyRules = anyRules;
    this.rules = rules;
  }

  static ObjectValidator of(Schema schema) {
    // Rules are compiled when the first object comes: definitions are registered under the store's
    // lock.
    return new CustomValidator(
        new SchemaValidator(schema),
        schema.raw().findValue("x-kubernetes-validations") != null,
        Suppliers.memoize(() -> new SchemaRules(schema)));
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    List<Cause> causes = new ArrayList<>(schema.validate(next, live));
    if (!anyRules) {
      return causes;
    }
    if (causes.isEmpty()) {
      return rules.get().check(next, live);
    }
    causes.add(RULES_SKIPPED);
    return causes;
  }
}
