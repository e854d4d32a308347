package dev.vfio.migration.sandbox.apiserver.request;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.audit.RequestLog;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions;
import dev.vfio.migration.sandbox.apiserver.discovery.Discovery;
import dev.vfio.migration.sandbox.apiserver.faults.Faults;
import dev.vfio.migration.sandbox.apiserver.http.ApiException;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Exchange;
import dev.vfio.migration.sandbox.apiserver.http.Failures;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.openapi.OpenApiDocuments;
import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.resource.ResourceType;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.store.Selector;
import dev.vfio.migration.sandbox.apiserver.watch.WatchFilter;
import dev.vfio.migration.sandbox.apiserver.watch.Watches;
import java.time.Clock;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.Consumer;

/** Finds out what a request is about and answers it. Safe for any thread. */
public final class ApiHandler implements Consumer<Exchange> {
  private static final System.Logger LOG = System.getLogger(ApiHandler.class.getName());
  private static final int SHORTEST_WATCH_SECONDS = 1800;
  private static final Set<String> WRITES = Set.of("POST", "PUT", "PATCH", "DELETE");

  private final Registry registry;
  private final Watches watches;
  private final Faults faults;
  private final RequestLog log;
  private final Clock clock;
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
      RequestLog log,
      Clock clock) {
    this.registry = registry;
    this.watches = watches;
    this.faults = faults;
    this.log = log;
    this.clock = clock;
    this.discovery = new Discovery(registry);
    this.openApi = new OpenApiDocuments(registry);
    this.reads = new ReadRequests(store, clock);
    this.writes = new WriteRequests(store, clock);
    this.deletes = new DeleteRequests(store, deletions, clock);
  }

  @Override
  public void accept(Exchange exchange) {
    ApiRequest request = exchange.request();
    try {
      Optional<Reply> reply = answer(exchange, request);
      reply.ifPresent(exchange::reply);
    } catch (ApiException e) {
      exchange.reply(Reply.failure(e));
    } catch (RuntimeException | StackOverflowError e) {
      LOG.log(System.Logger.Level.ERROR, request.method() + " " + request.path() + " failed", e);
      exchange.reply(Reply.failure(Failures.internal(e.toString())));
    }
  }

  /** The answer, or nothing if the exchange was given to a watch. */
  private Optional<Reply> answer(Exchange exchange, ApiRequest request) {
    requireLocalHost(request);
    List<String> path =
        Arrays.stream(request.path().split("/")).filter(part -> !part.isEmpty()).toList();
    if (path.isEmpty()) {
      return Optional.of(discovery.paths());
    }
    return switch (path.get(0)) {
      case "healthz", "livez", "readyz" -> Optional.of(Reply.text(200, "ok"));
      case "version" -> Optional.of(discovery.version());
      case "openapi" -> Optional.of(openApi.answer(request, path));
      case "api" ->
          switch (path.size()) {
            case 1 -> Optional.of(discovery.coreVersions(request));
            case 2 -> Optional.of(discovery.resources("", path.get(1)));
            default -> resource(exchange, request, "", path.get(1), path.subList(2, path.size()));
          };
      case "apis" ->
          switch (path.size()) {
            case 1 -> Optional.of(discovery.groups(request));
            case 2 -> Optional.of(discovery.group(path.get(1)));
            case 3 -> Optional.of(discovery.resources(path.get(1), path.get(2)));
            default ->
                resource(exchange, request, path.get(1), path.get(2), path.subList(3, path.size()));
          };
      default -> throw Failures.noSuchPath();
    };
  }

  private Optional<Reply> resource(
      Exchange exchange, ApiRequest request, String group, String version, List<String> rest) {
    RequestTarget target =
        RequestTarget.of(registry, group, version, rest).orElseThrow(Failures::noSuchPath);
    String subresource = target.subresource();
    if (!subresource.isEmpty() && !target.type().subresources().contains(subresource)) {
      throw Failures.noSuchPath();
    }
    if (!WRITES.contains(request.method())) {
      return read(exchange, request, target);
    }
    try {
      faults.beforeWrite(
          request.method(), target.type().plural(), target.namespace(), target.name());
      Reply reply = write(request, target);
      log.record(
          request, target.type(), target.namespace(), target.name(), subresource, reply.code());
      return Optional.of(reply);
    } catch (ApiException e) {
      log.record(request, target.type(), target.namespace(), target.name(), subresource, e.code());
      throw e;
    }
  }

  private Optional<Reply> read(Exchange exchange, ApiRequest request, RequestTarget target) {
    if (!request.method().equals("GET") || !target.type().stored()) {
      throw Failures.methodNotAllowed();
    }
    if (!target.name().isEmpty()) {
      return Optional.of(reads.get(request, target));
    }
    if (request.flag("watch")) {
      watch(exchange, request, target);
      return Optional.empty();
    }
    return Optional.of(reads.list(request, target));
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

  private void watch(Exchange exchange, ApiRequest request, RequestTarget target) {
    Presentation presentation = Presentation.of(request, clock);
    Selector selector = ReadRequests.selector(request, target);
    boolean initialEvents =
        request.parameter("sendInitialEvents").filter("true"::equals).isPresent();
    if (request.parameter("sendInitialEvents").isPresent()
        && !request.parameter("resourceVersionMatch").filter("NotOlderThan"::equals).isPresent()) {
      throw Failures.unprocessable(
          "ListOptions.meta.k8s.io \"\" is invalid: resourceVersionMatch: Forbidden:"
              + " sendInitialEvents requires setting resourceVersionMatch to NotOlderThan");
    }
    long seconds =
        request
            .number("timeoutSeconds")
            .filter(wanted -> wanted > 0)
            .orElseGet(
                () ->
                    SHORTEST_WATCH_SECONDS
                        + ThreadLocalRandom.current().nextLong(SHORTEST_WATCH_SECONDS));
    Watches.Wish wish =
        new Watches.Wish(
            target.type().storage(),
            target.namespace(),
            request.number("resourceVersion").orElse(0L),
            initialEvents,
            request.flag("allowWatchBookmarks"),
            Duration.ofSeconds(seconds));
    watches.start(exchange, wish, new Filter(target, selector, presentation));
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
    public ObjectNode bookmark(long revision, boolean initialEventsEnd) {
      return presentation.bookmark(Long.toString(revision), target.type(), initialEventsEnd);
    }
  }
}
