package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/** Checks objects of one kind against its schema. Safe for any thread. */
@FunctionalInterface
public interface ObjectValidator {
  /**
   * The broken rules.
   *
   * @param next the object to be stored
   * @param live the object as it is, null for a creation
   */
  List<Cause> validate(ObjectNode next, ObjectNode live);
}
