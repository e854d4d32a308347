package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import java.util.List;

/** What the server does with objects of one kind beyond storing them. Stateless. */
public interface KindRules {
  /** Sets what the server sets on a new object, in place. */
  default void prepareCreate(ObjectNode object) {}

  /** Keeps what clients cannot change, in place. */
  default void prepareUpdate(ObjectNode live, ObjectNode next) {}

  /**
   * The broken rules of the kind.
   *
   * @param live null for a creation
   */
  default List<Cause> validate(ObjectNode next, ObjectNode live) {
    return List.of();
  }

  /** The rules of a kind; none for custom kinds, whose rules are in their schema. */
  static KindRules of(ResourceType type) {
    if (type.custom()) {
      return new KindRules() {};
    }
    return switch (type.kind()) {
      case "Namespace" -> new NamespaceRules();
      case "Pod" -> new PodRules();
      case "Secret" -> new SecretRules();
      case "Event" -> new EventRules();
      case "CustomResourceDefinition" -> new DefinitionRules();
      default -> new KindRules() {};
    };
  }
}
