package dev.vfio.migration.operator.chart;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.api.model.APIResource;
import io.fabric8.kubernetes.api.model.APIResourceBuilder;
import io.fabric8.kubernetes.api.model.APIResourceListBuilder;
import io.fabric8.kubernetes.api.model.Secret;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** As much of an API server as Helm needs to look up a Secret by name. */
final class SecretsServer implements AutoCloseable {

  private static final String SECRETS = "/api/v1/namespaces/" + Chart.NAMESPACE + "/secrets/";

  private final Map<String, Secret> secrets = new ConcurrentHashMap<>();
  private final HttpServer server;

  SecretsServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", exchange -> respond(exchange, 404, notFound()));
    server.createContext("/api/v1", this::answer);
    server.start();
  }

  void put(Secret secret) {
    secrets.put(secret.getMetadata().getName(), secret);
  }

  void clear() {
    secrets.clear();
  }

  String kubeconfig() {
    return """
    apiVersion: v1
    kind: Config
    current-context: test
    contexts: [{name: test, context: {cluster: test, user: test}}]
    users: [{name: test, user: {}}]
    clusters: [{name: test, cluster: {server: "http://127.0.0.1:%d"}}]
    """
        .formatted(server.getAddress().getPort());
  }

  @Override
  public void close() {
    server.stop(0);
  }

  private void answer(HttpExchange exchange) throws IOException {
    String path = exchange.getRequestURI().getPath();
    Secret secret = path.startsWith(SECRETS) ? secrets.get(path.substring(SECRETS.length())) : null;
    if (path.equals("/api/v1")) {
      APIResource resource =
          new APIResourceBuilder()
              .withName("secrets")
              .withSingularName("secret")
              .withKind("Secret")
              .withNamespaced(true)
              .withVerbs("get")
              .build();
      respond(
          exchange,
          200,
          new APIResourceListBuilder().withGroupVersion("v1").withResources(resource).build());
    } else if (secret != null) {
      respond(exchange, 200, secret);
    } else {
      respond(exchange, 404, notFound());
    }
  }

  private static Object notFound() {
    return new StatusBuilder()
        .withStatus("Failure")
        .withReason("NotFound")
        .withMessage("not found")
        .withCode(404)
        .build();
  }

  private static void respond(HttpExchange exchange, int code, Object body) throws IOException {
    byte[] bytes = Serialization.asJson(body).getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().set("Content-Type", "application/json");
    exchange.sendResponseHeaders(code, bytes.length);
    exchange.getResponseBody().write(bytes);
    exchange.close();
  }
}
