package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;

/** Answers who one is and what one may do: everybody may do everything here. */
final class Reviews {
  private static final String USER = "sandbox-admin";

  private Reviews() {}

  static Reply answer(ApiRequest request, ResourceType type) {
    // kubectl asks in protobuf; what it asks makes no difference to the answer.
    boolean readable = !Bodies.mediaType(request).equals("application/vnd.kubernetes.protobuf");
    JsonNode sent = readable ? Bodies.read(request).tree() : null;
    ObjectNode review = sent instanceof ObjectNode object ? object.deepCopy() : Json.object();
    review.put("kind", type.kind()).put("apiVersion", type.apiVersion());
    Json.metadata(review).putNull("creationTimestamp");
    ObjectNode status = Json.child(review, "status");
    switch (type.kind()) {
      case "SelfSubjectAccessReview" ->
          status
              .put("allowed", true)
              .put("reason", "this server has no authorization: everything is allowed");
      case "SelfSubjectRulesReview" -> {
        ObjectNode rule = status.putArray("resourceRules").addObject();
        rule.putArray("verbs").add("*");
        rule.putArray("apiGroups").add("*");
        rule.putArray("resources").add("*");
        ObjectNode path = status.putArray("nonResourceRules").addObject();
        path.putArray("verbs").add("*");
        path.putArray("nonResourceURLs").add("*");
        status.put("incomplete", false);
      }
      case "SelfSubjectReview" -> {
        ObjectNode user = status.putObject("userInfo");
        user.put("username", USER);
        user.putArray("groups").add("system:masters").add("system:authenticated");
      }
      default -> throw Failures.methodNotAllowed();
    }
    return Reply.json(201, review);
  }
}
