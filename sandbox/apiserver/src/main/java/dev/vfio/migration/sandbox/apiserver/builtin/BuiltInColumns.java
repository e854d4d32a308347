package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.IntNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.table.Column;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/** The columns of the built-in kinds that people look at; the other kinds have NAME and AGE. */
final class BuiltInColumns {
  private BuiltInColumns() {}

  static List<Column> of(String kind) {
    return switch (kind) {
      case "Node" ->
          List.of(
              Column.NAME,
              text("Status", 0, BuiltInColumns::nodeStatus),
              text("Roles", 0, BuiltInColumns::nodeRoles),
              Column.AGE,
              text("Version", 0, field("status", "nodeInfo", "kubeletVersion")));
      case "Pod" ->
          List.of(
              Column.NAME,
              text("Ready", 0, BuiltInColumns::podReady),
              text("Status", 0, BuiltInColumns::podStatus),
              number("Restarts", BuiltInColumns::podRestarts),
              Column.AGE,
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
              text("Message", 0, event -> Json.textAt(event, "message").trim()));
      case "Lease" ->
          List.of(Column.NAME, text("Holder", 0, field("spec", "holderIdentity")), Column.AGE);
      default -> List.of(Column.NAME, Column.AGE);
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
    return Json.at(event, "metadata", "creationTimestamp");
  }

  private static String involved(ObjectNode event) {
    return Json.textAt(event, "involvedObject", "kind").toLowerCase(Locale.ROOT)
        + "/"
        + Json.textAt(event, "involvedObject", "name");
  }
}
