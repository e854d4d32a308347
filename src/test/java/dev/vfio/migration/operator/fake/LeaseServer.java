package dev.vfio.migration.operator.fake;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.fabric8.kubernetes.api.model.coordination.v1.Lease;
import io.fabric8.kubernetes.api.model.coordination.v1.LeaseBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.utils.KubernetesSerialization;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.ZonedDateTime;

/** An API server that has one lease. A write with another version than the current is refused. */
public final class LeaseServer implements AutoCloseable {
  public static final String NAMESPACE = "vfio-migration";
  public static final String NAME = "vfio-migration-operator";

  private final HttpServer server;
  private final KubernetesClient client;
  private final KubernetesSerialization serialization = new KubernetesSerialization();
  private Lease lease;
  private long version = 40;

  public LeaseServer() throws IOException {
    server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
    server.createContext("/", this::answer);
    server.start();
    Config config =
        new ConfigBuilder(Config.empty())
            .withMasterUrl("http://127.0.0.1:" + server.getAddress().getPort())
            .withRequestRetryBackoffLimit(0)
            .build();
    client = new KubernetesClientBuilder().withConfig(config).build();
  }

  public KubernetesClient client() {
    return client;
  }

  /** Somebody holds it from now on, or renews it, and writes that time. */
  public synchronized void write(String holder, ZonedDateTime renewed) {
    lease =
        new LeaseBuilder()
            .withNewMetadata()
            .withNamespace(NAMESPACE)
            .withName(NAME)
            .withUid("u")
            .withResourceVersion(Long.toString(++version))
            .endMetadata()
            .withNewSpec()
            .withHolderIdentity(holder)
            .withLeaseDurationSeconds(15)
            .withRenewTime(renewed)
            .withLeaseTransitions(3)
            .endSpec()
            .build();
  }

  public synchronized void delete() {
    lease = null;
    version++;
  }

  /** From now on it does not answer. */
  public void stop() {
    server.stop(0);
  }

  /** Empty where nobody does. */
  public synchronized String holder() {
    String holder = lease.getSpec().getHolderIdentity();
    return holder == null ? "" : holder;
  }

  private void answer(HttpExchange exchange) throws IOException {
    byte[] body = exchange.getRequestBody().readAllBytes();
    int code = 200;
    String text;
    synchronized (this) {
      if (lease == null) {
        code = 404;
      } else if (exchange.getRequestMethod().equals("PUT")) {
        Lease written =
            serialization.unmarshal(new String(body, StandardCharsets.UTF_8), Lease.class);
        if (!lease
            .getMetadata()
            .getResourceVersion()
            .equals(written.getMetadata().getResourceVersion())) {
          code = 409;
        } else {
          written.getMetadata().setResourceVersion(Long.toString(++version));
          lease = written;
        }
      }
      text =
          code == 200
              ? serialization.asJson(lease)
              : "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"code\":" + code + "}";
    }
    byte[] answer = text.getBytes(StandardCharsets.UTF_8);
    exchange.getResponseHeaders().add("Content-Type", "application/json");
    exchange.sendResponseHeaders(code, answer.length);
    exchange.getResponseBody().write(answer);
    exchange.close();
  }

  @Override
  public void close() {
    client.close();
    server.stop(0);
  }
}
