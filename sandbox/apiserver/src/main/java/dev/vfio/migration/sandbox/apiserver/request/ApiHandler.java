package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions;
import dev.vfio.migration.sandbox.apiserver.discovery.Discovery;
import dev.vfio.migration.sandbox.apiserver.discovery.OpenApiDocuments;
import dev.vfio.migration.sandbox.apiserver.faults.Faults;
import dev.vfio.migration.sandbox.apiserver.faults.RequestLog;
import dev.vfio.migration.sandbox.apiserver.http.Answer;
import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.http.StreamedReply;
import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.Selector;
import dev.vfio.migration.sandbox.apiserver.watch.WatchFilter;
import dev.vfio.migration.sandbox.apiserver.watch.Watches;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Function;

/** Finds out what a request is about and answers it. Safe for any thread. */
public final class ApiHandler implements Function<ApiRequest, Answer> {
  private static final System.Logger LOG = System.getLogger(ApiHandler.class.getName());
  private static final int MIN_WATCH_SECONDS = 1800;
  private static final Set<String> WRITES = Set.of("POST", "PUT", "PATCH", "DELETE");

  private final Registry registry;
  private final Watches watches;
  private final Faults faults;
  private final RequestLog log;
  private final Discovery discovery;
  private final OpenApiDocuments openApi;
  private final ReadRequests reads;
  private final WriteRequests writes;
  private final DeleteRequests deletes;

  /** Puts the parts together. */
  public ApiHandler(
      Registry registry,
      ObjectStore store,
      Watches watches,
      Deletions deletions,
      Faults faults,
      RequestLog log) {
    this.registry = registry;
    this.watches = watches;
    this.faults = faults;
    this.log = log;
    this.discovery = new Discovery(registry);
    this.openApi = new OpenApiDocuments(registry);
    this.reads = new ReadRequests(store);
    this.writes = new WriteRequests(store);
    this.deletes = new DeleteRequests(store, deletions);
  }

  /** Answers a request; every failure becomes an answer too. */
  @Override
  public Answer apply(ApiRequest request) {
    try {
      return answer(request);
    } catch (ApiException e) {
      return Reply.failure(e);
    } catch (RuntimeException | StackOverflowError e) {
      LOG.log(System.Logger.Level.ERROR, request.method() + " " + request.path() + " failed", e);
      return Reply.failure(Failures.internal(e.toString()));
    }
  }

  private Answer answer(ApiRequest request) {
    requireLocalHost(request);
    List<String> path =
        Arrays.stream(request.path().split("/")).filter(part -> !part.isEmpty()).toList();
    return switch (path.isEmpty() ? "" : path.get(0)) {
      case "healthz", "livez", "readyz" -> Reply.text(200, "ok");
      case "version" -> discovery.version();
      case "openapi" -> openApi.answer(request, path);
      case "api" ->
          switch (path.size()) {
            case 1 -> discovery.coreVersions(request);
            case 2 -> discovery.resources("", path.get(1));
            default -> resource(request, "", path.get(1), path.subList(2, path.size()));
          };
      case "apis" ->
          switch (path.size()) {
            case 1 -> discovery.groups();
            case 2 -> discovery.group(path.get(1));
            case 3 -> discovery.resources(path.get(1), path.get(2));
            default -> resource(request, path.get(1), path.get(2), path.subList(3, path.size()));
          };
      default -> throw Failures.noSuchPath();
    };
  }

  private Answer resource(ApiRequest request, String group, String version, List<String> rest) {
    RequestTarget target =
        RequestTarget.of(registry, group, version, rest).orElseThrow(Failures::noSuchPath);
    String subresource = target.subresource();
    if (!subresource.isEmpty() && !target.type().subresources().contains(subresource)) {
      throw Failures.noSuchPath();
    }
    if (!WRITES.contains(request.method())) {
      return read(request, target);
    }
    int code = 500;
    try {
      faults.beforeWrite(
          request.method(), target.type().plural(), target.namespace(), target.name());
      Reply reply = write(request, target);
      code = reply.code();
      return reply;
    } catch (ApiException e) {
      code = e.code();
      throw e;
    } finally {
      log.record(
          new RequestLog.Entry(
              request.method(),
              target.type().plural(),
              subresource,
              target.namespace(),
              target.name(),
              request.parameter("fieldManager").orElse(request.program()),
              code));
    }
  }

  private Answer read(ApiRequest request, RequestTarget target) {
    if (!request.method().equals("GET") || !target.type().stored()) {
      throw Failures.methodNotAllowed();
    }
    if (!target.name().isEmpty()) {
      return reads.get(request, target);
    }
    if (request.flag("watch")) {
      return watch(request, target);
    }
    return reads.list(request, target);
  }

  private Reply write(ApiRequest request, RequestTarget target) {
    ResourceType type = target.type();
    boolean named = !target.name().isEmpty();
    boolean whole = target.subresource().isEmpty();
    return switch (request.method()) {
      case "POST" -> {
        if (named) {
          throw Failures.methodNotAllowed();
        }
        yield type.stored() ? writes.create(request, target) : Reviews.answer(request, type);
      }
      case "PUT" -> {
        requireNamed(type, named);
        yield writes.update(request, target);
      }
      case "PATCH" -> {
        requireNamed(type, named);
        yield writes.patch(request, target);
      }
      default -> {
        if (!type.stored() || !whole) {
          throw Failures.methodNotAllowed();
        }
        yield named ? deletes.delete(request, target) : deletes.deleteCollection(request, target);
      }
    };
  }

  private static void requireNamed(ResourceType type, boolean named) {
    if (!named || !type.stored()) {
      throw Failures.methodNotAllowed();
    }
  }

  private Answer watch(ApiRequest request, RequestTarget target) {
    if (request.parameter("sendInitialEvents").isPresent()) {
      // A client that is refused lists first and watches then.
      throw Failures.unprocessable(
          "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents"
              + " is forbidden for watch unless the WatchList feature gate is enabled");
    }
    Presentation presentation = Presentation.of(request);
    Selector selector = ReadRequests.selector(request, target);
    long seconds =
        request
            .number("timeoutSeconds")
            .filter(wanted -> wanted > 0)
            .orElseGet(
                () -> MIN_WATCH_SECONDS + ThreadLocalRandom.current().nextLong(MIN_WATCH_SECONDS));
    Watches.Request watch =
        new Watches.Request(
            target.type().storage(),
            target.namespace(),
            request.number("resourceVersion").orElse(0L),
            request.flag("allowWatchBookmarks"),
            Duration.ofSeconds(seconds));
    WatchFilter filter = new Filter(target, selector, presentation);
    return new StreamedReply(stream -> watches.start(stream, watch, filter));
  }

  /**
   * A browser page that resolves its own name to a loopback address is kept out by the Host header.
   */
  private static void requireLocalHost(ApiRequest request) {
    String host = request.header("Host").replaceFirst(":\\d+$", "");
    boolean local =
        host.isEmpty()
            || host.equals("localhost")
            || host.endsWith(".localhost")
            || host.equals("[::1]")
            || host.matches("127(\\.\\d{1,3}){3}");
    if (!local) {
      throw Failures.of(
          403,
          "this API server answers to loopback addresses and localhost only, not to \""
              + host
              + "\"");
    }
  }

  private record Filter(RequestTarget target, Selector selector, Presentation presentation)
      implements WatchFilter {
    @Override
    public boolean matches(ObjectNode object) {
      return (target.namespace().isEmpty()
              || target.namespace().equals(object.path("metadata").path("namespace").asText("")))
          && selector.test(object);
    }

    @Override
    public ObjectNode present(ObjectNode object, boolean first) {
      return presentation.watched(object, target.type(), first);
    }

    @Override
    public ObjectNode bookmark(long revision) {
      return presentation.bookmark(Long.toString(revision), target.type());
    }
  }
}
