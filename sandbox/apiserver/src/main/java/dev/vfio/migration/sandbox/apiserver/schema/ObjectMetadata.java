package dev.vfio.migration.sandbox.apiserver.schema;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;

/**
 * What every Kubernetes object's metadata looks like and how its parts merge (k8s.io/apimachinery
 * meta/v1, ObjectMeta).
 */
public final class ObjectMetadata {
  private static final ObjectNode SCHEMA = build();

  private ObjectMetadata() {}

  /** The schema; a new copy. */
  public static ObjectNode schemaText() {
    return SCHEMA.deepCopy();
  }

  private static ObjectNode build() {
    ObjectNode schema = Json.object().put("type", "object");
    ObjectNode fields = schema.putObject("properties");
    for (String text :
        new String[] {"name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"}) {
      fields.putObject(text).put("type", "string");
    }
    for (String time : new String[] {"creationTimestamp", "deletionTimestamp"}) {
      fields.putObject(time).put("type", "string").put("format", "date-time").put("nullable", true);
    }
    for (String number : new String[] {"generation", "deletionGracePeriodSeconds"}) {
      fields.putObject(number).put("type", "integer").put("format", "int64");
    }
    for (String map : new String[] {"labels", "annotations"}) {
      ObjectNode field = fields.putObject(map).put("type", "object").put("nullable", true);
      field.putObject("additionalProperties").put("type", "string");
    }
    ObjectNode finalizers =
        fields.putObject("finalizers").put("type", "array").put("nullable", true);
    finalizers.putObject("items").put("type", "string");
    finalizers.put("x-kubernetes-list-type", "set");
    fields.set("ownerReferences", ownerReferences());
    ObjectNode managed =
        fields.putObject("managedFields").put("type", "array").put("nullable", true);
    managed
        .putObject("items")
        .put("type", "object")
        .put("x-kubernetes-preserve-unknown-fields", true);
    return schema;
  }

  private static ObjectNode ownerReferences() {
    ObjectNode owners = Json.object().put("type", "array").put("nullable", true);
    owners.put("x-kubernetes-list-type", "map");
    owners.putArray("x-kubernetes-list-map-keys").add("uid");
    ObjectNode owner = owners.putObject("items").put("type", "object");
    owner.put("x-kubernetes-map-type", "atomic");
    owner.putArray("required").add("apiVersion").add("kind").add("name").add("uid");
    ObjectNode fields = owner.putObject("properties");
    for (String text : new String[] {"apiVersion", "kind", "name", "uid"}) {
      fields.putObject(text).put("type", "string");
    }
    for (String flag : new String[] {"controller", "blockOwnerDeletion"}) {
      fields.putObject(flag).put("type", "boolean").put("nullable", true);
    }
    return owners;
  }
}
