package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * The rules for metadata, which are the same for every kind (k8s.io/apimachinery, api/validation).
 */
public final class MetadataRules {
  private static final String LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
  private static final Pattern SUBDOMAIN = Pattern.compile(LABEL + "(\\." + LABEL + ")*");
  private static final Pattern DNS_LABEL = Pattern.compile(LABEL);
  private static final Pattern QUALIFIED =
      Pattern.compile(
          "([a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]");
  private static final Pattern LABEL_VALUE =
      Pattern.compile("(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?");
  private static final int SUBDOMAIN_LENGTH = 253;
  private static final int LABEL_LENGTH = 63;
  private static final int ANNOTATIONS_BYTES = 256 * 1024;

  private static final String SUBDOMAIN_RULE =
      "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or"
          + " '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex"
          + " used for validation is"
          + " '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
  private static final String LABEL_RULE =
      "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and"
          + " must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc',"
          + " regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  private static final String QUALIFIED_RULE =
      "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end"
          + " with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex"
          + " used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  private static final String LABEL_VALUE_RULE =
      "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or"
          + " '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or"
          + " 'my_value',  or '12345', regex used for validation is"
          + " '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

  private MetadataRules() {}

  /**
   * The broken rules.
   *
   * @param live null for a creation
   */
  public static List<Cause> check(ResourceType type, ObjectNode next, ObjectNode live) {
    List<Cause> causes = new ArrayList<>();
    JsonNode metadata = next.path("metadata");
    name(type, Json.textAt(metadata, "name"), causes);
    metadata
        .path("labels")
        .properties()
        .forEach(label -> label(label.getKey(), label.getValue().asText(), causes));
    long annotationBytes = 0;
    for (var annotation : metadata.path("annotations").properties()) {
      qualified("metadata.annotations", annotation.getKey().toLowerCase(Locale.ROOT), causes);
      annotationBytes +=
          annotation.getKey().length() + (long) annotation.getValue().asText().length();
    }
    if (annotationBytes > ANNOTATIONS_BYTES) {
      causes.add(FieldErrors.tooLong("metadata.annotations", ANNOTATIONS_BYTES));
    }
    for (JsonNode finalizer : metadata.path("finalizers")) {
      qualified("metadata.finalizers", finalizer.asText(), causes);
    }
    owners(metadata.path("ownerReferences"), causes);
    if (live != null) {
      changes(metadata, live.path("metadata"), causes);
    }
    return causes;
  }

  private static void name(ResourceType type, String name, List<Cause> causes) {
    String field = "metadata.name";
    if (name.isEmpty()) {
      causes.add(FieldErrors.required(field, "name or generateName is required"));
    } else if (type.group().equals("rbac.authorization.k8s.io")) {
      if (name.contains("/") || name.contains("%") || name.equals(".") || name.equals("..")) {
        causes.add(
            FieldErrors.invalid(
                field, name, "may not contain '/' or '%' and may not be '.' or '..'"));
      }
    } else if (!type.custom()
        && (type.kind().equals("Namespace") || type.kind().equals("Service"))) {
      if (name.length() > LABEL_LENGTH || !DNS_LABEL.matcher(name).matches()) {
        causes.add(FieldErrors.invalid(field, name, LABEL_RULE));
      }
    } else if (name.length() > SUBDOMAIN_LENGTH) {
      causes.add(
          FieldErrors.invalid(field, name, "must be no more than " + SUBDOMAIN_LENGTH + " bytes"));
    } else if (!SUBDOMAIN.matcher(name).matches()) {
      causes.add(FieldErrors.invalid(field, name, SUBDOMAIN_RULE));
    }
  }

  private static void label(String key, String value, List<Cause> causes) {
    qualified("metadata.labels", key, causes);
    if (value.length() > LABEL_LENGTH) {
      causes.add(
          FieldErrors.invalid(
              "metadata.labels", value, "must be no more than " + LABEL_LENGTH + " bytes"));
    } else if (!LABEL_VALUE.matcher(value).matches()) {
      causes.add(FieldErrors.invalid("metadata.labels", value, LABEL_VALUE_RULE));
    }
  }

  private static void qualified(String field, String key, List<Cause> causes) {
    int slash = key.indexOf('/');
    if (!QUALIFIED.matcher(key).matches() || key.length() - slash - 1 > LABEL_LENGTH) {
      causes.add(FieldErrors.invalid(field, key, QUALIFIED_RULE));
    }
  }

  private static void owners(JsonNode owners, List<Cause> causes) {
    int controllers = 0;
    for (int i = 0; i < owners.size(); i++) {
      JsonNode owner = owners.get(i);
      for (String field : new String[] {"apiVersion", "kind", "name", "uid"}) {
        if (owner.path(field).asText("").isEmpty()) {
          causes.add(
              new Cause(
                  "FieldValueInvalid",
                  "Invalid value: \"\": "
                      + (field.equals("apiVersion") ? "version" : field)
                      + " must not be empty",
                  "metadata.ownerReferences." + field));
        }
      }
      controllers += owner.path("controller").asBoolean(false) ? 1 : 0;
    }
    if (controllers > 1) {
      causes.add(
          FieldErrors.invalid(
              "metadata.ownerReferences",
              owners,
              "Only one reference can have Controller set to true"));
    }
  }

  private static void changes(JsonNode next, JsonNode live, List<Cause> causes) {
    for (String field : new String[] {"name", "namespace"}) {
      if (!Json.textAt(next, field).equals(Json.textAt(live, field))) {
        causes.add(
            FieldErrors.invalid(
                "metadata." + field, Json.textAt(next, field), "field is immutable"));
      }
    }
    if (Json.absent(live.get("deletionTimestamp"))) {
      return;
    }
    Set<String> added = new HashSet<>();
    next.path("finalizers").forEach(finalizer -> added.add(finalizer.asText()));
    live.path("finalizers").forEach(finalizer -> added.remove(finalizer.asText()));
    if (!added.isEmpty()) {
      causes.add(
          FieldErrors.forbidden(
              "metadata.finalizers",
              "no new finalizers can be added if the object is being deleted, found new finalizers "
                  + Json.text(Json.strings(added.stream().sorted().toList()))));
    }
  }
}
