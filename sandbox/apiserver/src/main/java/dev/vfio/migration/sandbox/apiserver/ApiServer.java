package dev.vfio.migration.sandbox.apiserver;

import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.apiserver.builtin.BuiltInTypes;
import dev.vfio.migration.sandbox.apiserver.definition.CustomTypes;
import dev.vfio.migration.sandbox.apiserver.deletion.Deletions;
import dev.vfio.migration.sandbox.apiserver.deletion.GarbageCollector;
import dev.vfio.migration.sandbox.apiserver.faults.Faults;
import dev.vfio.migration.sandbox.apiserver.faults.RequestLog;
import dev.vfio.migration.sandbox.apiserver.http.HttpFrontend;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.request.ApiHandler;
import dev.vfio.migration.sandbox.apiserver.resource.Registry;
import dev.vfio.migration.sandbox.apiserver.store.Change;
import dev.vfio.migration.sandbox.apiserver.store.ObjectStore;
import dev.vfio.migration.sandbox.apiserver.watch.Watches;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.time.Instant;
import java.util.concurrent.atomic.AtomicBoolean;

/**
 * A small Kubernetes API server for machines without a cluster. It listens on a loopback address
 * from construction until {@link #close}. Safe for any thread.
 */
public final class ApiServer implements AutoCloseable {
  private static final long EPOCH_SECONDS_2025 = 1_735_689_600L;
  private static final long REVISIONS_A_SECOND = 1_000;

  private final ObjectStore store;
  private final HttpFrontend frontend;
  private final ApiHandler handler;
  private final GarbageCollector collector;
  private final RequestLog log;
  private final Faults faults;
  private final Watches watches;

  /**
   * Starts a server.
   *
   * @throws IOException if the address cannot be bound or a definition cannot be read
   * @throws IllegalArgumentException if the address is not a loopback one, or a definition is
   *     refused
   */
  public ApiServer(ApiServerOptions options) throws IOException {
    HttpFrontend.requireLoopback(options.address());
    this.store = open(options);
    Registry registry = new Registry(BuiltInTypes.all());
    store.listAndSubscribe(
        "customresourcedefinitions",
        "",
        listing -> listing.objects().forEach(definition -> define(registry, definition)),
        change -> serve(registry, change));
    Deletions deletions = new Deletions(store);
    this.watches = new Watches(store, options.bookmarkInterval());
    this.log = new RequestLog();
    AtomicBoolean refusing = new AtomicBoolean();
    this.faults = new Faults(watches, store, refusing, this::closeConnections);
    this.handler = new ApiHandler(registry, store, watches, deletions, faults, log);
    this.collector = new GarbageCollector(store, registry, deletions);
    try {
      Bootstrap bootstrap = new Bootstrap(handler);
      bootstrap.createNamespaces();
      if (options.definitions().isPresent()) {
        bootstrap.applyDefinitions(options.definitions().get());
      }
      log.clear();
      this.frontend = new HttpFrontend(options.address(), options.port(), handler, refusing::get);
    } catch (IOException | RuntimeException e) {
      watches.close();
      collector.close();
      store.close();
      throw e;
    }
  }

  /** Where clients find it, for example {@code http://127.0.0.1:45671}. */
  public String url() {
    InetSocketAddress address = frontend.address();
    String host = address.getAddress().getHostAddress();
    boolean six = address.getAddress() instanceof Inet6Address;
    return "http://" + (six ? "[" + host + "]" : host) + ":" + address.getPort();
  }

  /** A kubeconfig that points at this server. */
  public String kubeconfig() {
    return Kubeconfig.text(url());
  }

  /** Who wrote what. */
  public RequestLog requestLog() {
    return log;
  }

  /** Switches that make it misbehave. */
  public Faults faults() {
    return faults;
  }

  /** How many watches run. */
  public int watchCount() {
    return watches.count();
  }

  @Override
  public void close() {
    watches.close();
    frontend.close();
    collector.close();
    try {
      store.close();
    } catch (IOException e) {
      throw new UncheckedIOException("the objects could not be kept to the last", e);
    }
  }

  private void closeConnections() {
    frontend.closeConnections();
  }

  /**
   * Called under the store's lock: from the moment a definition is stored its kind is served, and
   * not a moment longer.
   */
  private static void serve(Registry registry, Change change) {
    if (change.deleted()) {
      registry.undefine(change.key().name());
    } else {
      define(registry, change.object());
    }
  }

  private static void define(Registry registry, ObjectNode definition) {
    registry.define(Json.textAt(definition, "metadata", "name"), CustomTypes.of(definition));
  }

  private static ObjectStore open(ApiServerOptions options) throws IOException {
    return options.dataDirectory().isPresent()
        ? new ObjectStore(
            options.historyLimit(), firstRevision(options), options.dataDirectory().get())
        : new ObjectStore(options.historyLimit(), firstRevision(options));
  }

  private static long firstRevision(ApiServerOptions options) {
    return Math.max(1, (Instant.now().getEpochSecond() - EPOCH_SECONDS_2025) * REVISIONS_A_SECOND);
  }
}
