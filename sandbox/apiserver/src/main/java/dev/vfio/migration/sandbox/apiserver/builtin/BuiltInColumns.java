package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.table.Column;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** The columns in which kubectl's users expect to see built-in kinds. */
final class BuiltInColumns {
  private static final Column NAME =
      new Column(
          "Name",
          "string",
          "name",
          "Name of the object",
          0,
          object -> at(object, "metadata", "name"));
  private static final Column AGE =
      new Column(
          "Age",
          "date",
          "",
          "Time since creation",
          0,
          object -> at(object, "metadata", "creationTimestamp"));

  private BuiltInColumns() {}

  /** The columns of a kind; NAME and AGE if it has no own ones. */
  static List<Column> of(String kind) {
    return switch (kind) {
      case "Namespace" -> List.of(NAME, text("Status", 0, field("status", "phase")), AGE);
      case "Node" ->
          List.of(
              NAME,
              text("Status", 0, BuiltInColumns::nodeStatus),
              text("Roles", 0, BuiltInColumns::nodeRoles),
              AGE,
              text("Version", 0, field("status", "nodeInfo", "kubeletVersion")),
              text("Internal-IP", 1, node -> orNone(address(node, "InternalIP"))));
      case "Pod" ->
          List.of(
              NAME,
              text("Ready", 0, BuiltInColumns::podReady),
              text("Status", 0, BuiltInColumns::podStatus),
              number("Restarts", BuiltInColumns::podRestarts),
              AGE,
              text("IP", 1, pod -> orNone(Json.textAt(pod, "status", "podIP"))),
              text("Node", 1, pod -> orNone(Json.textAt(pod, "spec", "nodeName"))));
      case "Event" ->
          List.of(
              new Column(
                  "Last Seen",
                  "date",
                  "",
                  "Time since it happened last",
                  0,
                  BuiltInColumns::lastSeen),
              text("Type", 0, field("type")),
              text("Reason", 0, field("reason")),
              text("Object", 0, BuiltInColumns::involved),
              text("Message", 0, event -> Json.textAt(event, "message").trim()),
              new Column(
                  "Name",
                  "string",
                  "name",
                  "Name of the object",
                  1,
                  object -> at(object, "metadata", "name")));
      case "ConfigMap" ->
          List.of(
              NAME,
              number("Data", map -> map.path("data").size() + map.path("binaryData").size()),
              AGE);
      case "Secret" ->
          List.of(
              NAME,
              text("Type", 0, field("type")),
              number("Data", secret -> secret.path("data").size()),
              AGE);
      case "ServiceAccount" ->
          List.of(NAME, number("Secrets", account -> account.path("secrets").size()), AGE);
      case "Service" ->
          List.of(
              NAME,
              text("Type", 0, field("spec", "type")),
              text("Cluster-IP", 0, service -> orNone(Json.textAt(service, "spec", "clusterIP"))),
              text("External-IP", 0, service -> "<none>"),
              text("Port(s)", 0, BuiltInColumns::ports),
              AGE);
      case "Deployment" ->
          List.of(
              NAME,
              text(
                  "Ready",
                  0,
                  d -> count(d, "status", "readyReplicas") + "/" + count(d, "spec", "replicas")),
              number("Up-to-date", d -> count(d, "status", "updatedReplicas")),
              number("Available", d -> count(d, "status", "availableReplicas")),
              AGE);
      case "DaemonSet" ->
          List.of(
              NAME,
              number("Desired", d -> count(d, "status", "desiredNumberScheduled")),
              number("Current", d -> count(d, "status", "currentNumberScheduled")),
              number("Ready", d -> count(d, "status", "numberReady")),
              number("Up-to-date", d -> count(d, "status", "updatedNumberScheduled")),
              number("Available", d -> count(d, "status", "numberAvailable")),
              AGE);
      case "Lease" -> List.of(NAME, text("Holder", 0, field("spec", "holderIdentity")), AGE);
      case "CustomResourceDefinition" ->
          List.of(NAME, text("Created At", 0, field("metadata", "creationTimestamp")));
      case "ClusterRole", "Role" ->
          List.of(NAME, text("Created At", 0, field("metadata", "creationTimestamp")));
      case "ClusterRoleBinding", "RoleBinding" ->
          List.of(
              NAME,
              text(
                  "Role",
                  0,
                  b -> Json.textAt(b, "roleRef", "kind") + "/" + Json.textAt(b, "roleRef", "name")),
              AGE);
      default -> List.of(NAME, AGE);
    };
  }

  private static Column text(String name, int priority, Function<ObjectNode, String> cell) {
    return new Column(
        name, "string", "", name, priority, object -> TextNode.valueOf(cell.apply(object)));
  }

  private static Column number(String name, Function<ObjectNode, Integer> cell) {
    return new Column(name, "integer", "", name, 0, object -> IntNode.valueOf(cell.apply(object)));
  }

  private static Function<ObjectNode, String> field(String... path) {
    return object -> Json.textAt(object, path);
  }

  private static JsonNode at(ObjectNode object, String... path) {
    return Json.at(object, path);
  }

  private static int count(ObjectNode object, String... path) {
    return Json.at(object, path).asInt(0);
  }

  private static String orNone(String text) {
    return text.isEmpty() ? "<none>" : text;
  }

  private static String nodeStatus(ObjectNode node) {
    String ready = "Unknown";
    for (JsonNode condition : Json.at(node, "status", "conditions")) {
      if (condition.path("type").asText().equals("Ready")) {
        ready = condition.path("status").asText().equals("True") ? "Ready" : "NotReady";
      }
    }
    return Json.at(node, "spec", "unschedulable").asBoolean(false)
        ? ready + ",SchedulingDisabled"
        : ready;
  }

  private static String nodeRoles(ObjectNode node) {
    String prefix = "node-role.kubernetes.io/";
    return orNone(
        Json.at(node, "metadata", "labels").properties().stream()
            .map(label -> label.getKey())
            .filter(label -> label.startsWith(prefix))
            .map(label -> label.substring(prefix.length()))
            .sorted()
            .collect(Collectors.joining(",")));
  }

  private static String address(ObjectNode node, String type) {
    for (JsonNode address : Json.at(node, "status", "addresses")) {
      if (address.path("type").asText().equals(type)) {
        return address.path("address").asText();
      }
    }
    return "";
  }

  private static String podReady(ObjectNode pod) {
    long ready =
        StreamSupport.stream(Json.at(pod, "status", "containerStatuses").spliterator(), false)
            .filter(status -> status.path("ready").asBoolean(false))
            .count();
    return ready + "/" + Json.at(pod, "spec", "containers").size();
  }

  private static String podStatus(ObjectNode pod) {
    if (!Json.textAt(pod, "metadata", "deletionTimestamp").isEmpty()) {
      return "Terminating";
    }
    String reason = Json.textAt(pod, "status", "reason");
    return reason.isEmpty() ? Json.textAt(pod, "status", "phase") : reason;
  }

  private static int podRestarts(ObjectNode pod) {
    int restarts = 0;
    for (JsonNode status : Json.at(pod, "status", "containerStatuses")) {
      restarts += status.path("restartCount").asInt(0);
    }
    return restarts;
  }

  private static JsonNode lastSeen(ObjectNode event) {
    for (String field : new String[] {"lastTimestamp", "eventTime", "firstTimestamp"}) {
      if (!Json.absent(event.get(field))) {
        return event.get(field);
      }
    }
    return at(event, "metadata", "creationTimestamp");
  }

  private static String involved(ObjectNode event) {
    return Json.textAt(event, "involvedObject", "kind").toLowerCase(java.util.Locale.ROOT)
        + "/"
        + Json.textAt(event, "involvedObject", "name");
  }

  private static String ports(ObjectNode service) {
    return orNone(
        StreamSupport.stream(Json.at(service, "spec", "ports").spliterator(), false)
            .map(port -> port.path("port").asText() + "/" + port.path("protocol").asText("TCP"))
            .collect(Collectors.joining(",")));
  }
}
