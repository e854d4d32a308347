package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;

/** Answers what one may do: everybody may do everything. */
final class Reviews {
  private Reviews() {}

  static Reply answer(ApiRequest request, ResourceType type) {
    // kubectl asks in protobuf; the answer is the same whatever it asks.
    boolean readable = !Bodies.mediaType(request).equals("application/vnd.kubernetes.protobuf");
    JsonNode sent = readable ? Bodies.read(request).tree() : null;
    ObjectNode review = sent instanceof ObjectNode object ? object : Json.object();
    review.put("kind", type.kind()).put("apiVersion", type.apiVersion());
    Json.metadata(review).putNull("creationTimestamp");
    ObjectNode status = Json.child(review, "status");
    if (type.kind().equals("SelfSubjectRulesReview")) {
      // The operator's framework asks for this before it takes part in leader election.
      ObjectNode rule = status.putArray("resourceRules").addObject();
      rule.putArray("verbs").add("*");
      rule.putArray("apiGroups").add("*");
      rule.putArray("resources").add("*");
      status.putArray("nonResourceRules");
      status.put("incomplete", false);
    } else {
      status
          .put("allowed", true)
          .put("reason", "this server has no authorization: everything is allowed");
    }
    return Reply.json(201, review);
  }
}
