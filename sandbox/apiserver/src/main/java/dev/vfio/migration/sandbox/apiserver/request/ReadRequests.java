package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore.Listing;
import dev.vfio.migration.sandbox.apiserver.store.Selector;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/**
 * Answers get and list. All pages of a list show one revision; the pages not yet fetched are kept
 * until too many newer lists are.
 */
final class ReadRequests {
  private static final int MAX_KEPT_LISTS = 64;
  private static final Set<String> FIELDS = Set.of("metadata.name", "metadata.namespace");
  private static final Map<String, Set<String>> FIELDS_BY_KIND =
      Map.of(
          "Pod", Set.of("spec.nodeName", "spec.schedulerName", "status.phase", "status.podIP"),
          "Event", Set.of("involvedObject.*", "reason", "type", "regarding.*"),
          "Node", Set.of("spec.unschedulable"),
          "Namespace", Set.of("status.phase"),
          "Secret", Set.of("type"));

  private final ObjectStore store;
  private final Map<String, Listing> unfinished =
      new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Listing> eldest) {
          return size() > MAX_KEPT_LISTS;
        }
      };

  ReadRequests(ObjectStore store) {
    this.store = store;
  }

  Reply get(ApiRequest request, RequestTarget target) {
    ResourceType type = target.type();
    Presentation presentation = Presentation.of(request);
    ObjectNode object =
        store.get(target.key()).orElseThrow(() -> Failures.notFound(type, target.name()));
    return Reply.json(200, presentation.object(object, type));
  }

  Reply list(ApiRequest request, RequestTarget target) {
    Presentation presentation = Presentation.of(request);
    long limit = request.number("limit").orElse(0L);
    if (limit < 0) {
      throw Failures.badRequest("limit: must be greater than or equal to 0, is " + limit);
    }
    Listing listing =
        request.parameter("continue").isPresent()
            ? rest(request.parameter("continue").get())
            : current(request, target);
    List<ObjectNode> objects = listing.objects();
    ObjectNode metadata = Json.object();
    metadata.put("resourceVersion", Long.toString(listing.revision()));
    if (limit > 0 && objects.size() > limit) {
      int page = Math.toIntExact(limit);
      Listing later = new Listing(listing.revision(), objects.subList(page, objects.size()));
      metadata.put("continue", keep(later)).put("remainingItemCount", later.objects().size());
      objects = objects.subList(0, page);
    }
    return Reply.json(200, presentation.list(objects, metadata, target.type()));
  }

  /** The selectors of a list, watch or deletecollection. */
  static Selector selector(ApiRequest request, RequestTarget target) {
    Set<String> known = new HashSet<>(FIELDS);
    known.addAll(FIELDS_BY_KIND.getOrDefault(target.type().kind(), Set.of()));
    try {
      return Selector.of(
          request.parameter("labelSelector").orElse(""),
          request.parameter("fieldSelector").orElse("").replace("regarding.", "involvedObject."),
          known);
    } catch (IllegalArgumentException e) {
      throw Failures.badRequest(
          "Unable to find \"%s\" that match the selectors: %s"
              .formatted(target.type().plural(), e.getMessage()));
    }
  }

  private Listing current(ApiRequest request, RequestTarget target) {
    long wanted = request.number("resourceVersion").orElse(0L);
    String match = request.parameter("resourceVersionMatch").orElse("");
    Listing listing =
        store.list(target.type().storage(), target.namespace(), selector(request, target));
    if (match.equals("Exact") && wanted != listing.revision()) {
      throw Failures.expired("The resourceVersion for the provided list is too old.");
    }
    if (wanted > listing.revision()) {
      throw Failures.of(
          504, "Too large resource version: %d, current: %d".formatted(wanted, listing.revision()));
    }
    return listing;
  }

  private String keep(Listing listing) {
    String token = UUID.randomUUID().toString();
    synchronized (unfinished) {
      unfinished.put(token, listing);
    }
    return token;
  }

  private Listing rest(String token) {
    synchronized (unfinished) {
      Listing listing = unfinished.get(token);
      if (listing == null) {
        throw Failures.expired(
            "The provided continue parameter is too old to display a consistent list result. You"
                + " must start a new list without the continue parameter.");
      }
      return listing;
    }
  }
}
