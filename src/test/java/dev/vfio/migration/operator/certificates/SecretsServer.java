package dev.vfio.migration.operator.certificates;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * As much of an API server as it takes to read, create and replace Secrets by name in one
 * namespace, with versions, for whom the chart's Role allows it to.
 */
final class SecretsServer implements AutoCloseable {
  static final String NAMESPACE = "vfio-migration";
  private static final String SECRETS = "/api/v1/namespaces/" + NAMESPACE + "/secrets";

  private final Map<String, Secret> secrets = new TreeMap<>();
  private final List<String> writes = new ArrayList<>();
  private final AtomicInteger version = new AtomicInteger();
  private final HttpServer server;
  private int writesLeft = Integer.MAX_VALUE;

  SecretsServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", this::answer);
    server.start();
  }

  synchronized void put(Secret secret) {
    secret.getMetadata().setNamespace(NAMESPACE);
    secret.getMetadata().setResourceVersion(String.valueOf(version.incrementAndGet()));
    secrets.put(secret.getMetadata().getName(), secret);
  }

  synchronized Secret get(String name) {
    Secret found = secrets.get(name);
    return found == null ? null : Serialization.clone(found);
  }

  synchronized void remove(String name) {
    secrets.remove(name);
  }

  /** Every write since the last question: verb and name, in order. */
  synchronized List<String> writes() {
    List<String> since = List.copyOf(writes);
    writes.clear();
    return since;
  }

  /** After that many writes it answers no more of them. */
  synchronized void failAfter(int count) {
    writesLeft = count;
  }

  String url() {
    return "http://127.0.0.1:" + server.getAddress().getPort();
  }

  @Override
  public void close() {
    server.stop(0);
  }

  private synchronized void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    String verb = exchange.getRequestMethod();
    Secret sent =
        verb.equals("GET")
            ? null
            : Serialization.unmarshal(exchange.getRequestBody(), Secret.class);
    if (verb.equals("POST") && path.equals(SECRETS)) {
      String name = sent.getMetadata().getName();
      write(exchange, "create", sent, !secrets.containsKey(name));
    } else if (verb.equals("PUT") && path.startsWith(SECRETS + "/")) {
      Secret stored = secrets.get(sent.getMetadata().getName());
      write(
          exchange,
          "update",
          sent,
          stored != null
              && stored
                  .getMetadata()
                  .getResourceVersion()
                  .equals(sent.getMetadata().getResourceVersion()));
    } else if (verb.equals("GET") && path.startsWith(SECRETS + "/")) {
      Secret found = secrets.get(path.substring(SECRETS.length() + 1));
      respond(exchange, found == null ? 404 : 200, found == null ? failure(404) : found);
    } else {
      respond(exchange, 403, failure(403));
    }
  }

  private void write(HttpExchange exchange, String verb, Secret secret, boolean fits)
      throws IOException {
    if (writesLeft == 0) {
      respond(exchange, 400, failure(400));
      return;
    }
    if (!fits) {
      respond(exchange, 409, failure(409));
      return;
    }
    writesLeft--;
    writes.add(verb + " " + secret.getMetadata().getName());
    put(secret);
    respond(exchange, verb.equals("create") ? 201 : 200, secret);
  }

  private static Object failure(int code) {
    return new StatusBuilder().withStatus("Failure").withMessage("no").withCode(code).build();
  }

  private static void respond(HttpExchange exchange, int code, Object body) throws IOException {
    byte[] bytes = Serialization.asJson(body).getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(code, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }
}
