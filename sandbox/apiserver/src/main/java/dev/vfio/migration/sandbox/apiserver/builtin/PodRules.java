package dev.vfio.migration.sandbox.apiserver.builtin;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.schema.Cause;
import dev.vfio.migration.sandbox.apiserver.schema.FieldErrors;
import java.util.ArrayList;
import java.util.List;

/** Pods start as Pending, need a container, and mostly cannot be changed. No kubelet runs them. */
final class PodRules implements KindRules {
  @Override
  public void prepareCreate(ObjectNode object) {
    Json.child(object, "status").put("phase", "Pending").put("qosClass", "BestEffort");
  }

  @Override
  public List<Cause> validate(ObjectNode next, ObjectNode live) {
    List<Cause> causes = new ArrayList<>();
    JsonNode containers = Json.at(next, "spec", "containers");
    if (containers.isEmpty()) {
      causes.add(FieldErrors.required("spec.containers"));
    }
    for (int i = 0; i < containers.size(); i++) {
      if (containers.get(i).path("name").asText("").isEmpty()) {
        causes.add(FieldErrors.required("spec.containers[" + i + "].name"));
      }
    }
    if (live != null && !Json.same(fixedPart(live), fixedPart(next))) {
      causes.add(
          FieldErrors.forbidden(
              "spec",
              "pod updates may not change fields other than"
                  + " `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations`"
                  + " (only additions to existing tolerations),`spec.terminationGracePeriodSeconds`"
                  + " (allow it to be set to 1 if it was previously negative)"));
    }
    return causes;
  }

  private static JsonNode fixedPart(ObjectNode pod) {
    if (!(pod.get("spec") instanceof ObjectNode spec)) {
      return Json.object();
    }
    ObjectNode fixed = spec.deepCopy();
    fixed.remove(List.of("activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds"));
    for (String list : new String[] {"containers", "initContainers"}) {
      fixed.path(list).forEach(container -> ((ObjectNode) container).remove("image"));
    }
    return fixed;
  }
}
