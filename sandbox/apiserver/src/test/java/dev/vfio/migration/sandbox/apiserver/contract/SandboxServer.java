package dev.vfio.migration.sandbox.apiserver.contract;

import dev.vfio.migration.sandbox.apiserver.ApiServer;
import dev.vfio.migration.sandbox.apiserver.ApiServerOptions;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/** One sandbox server and one client of it for a test class. */
public final class SandboxServer implements BeforeAllCallback, AfterAllCallback {

  /** The test class and the nested one that runs: each of them calls the callbacks. */
  private int users;

  private ApiServer server;
  private KubernetesClient client;

  @Override
  public void beforeAll(ExtensionContext context) throws IOException {
    if (users++ > 0) {
      return;
    }
    server = new ApiServer(ApiServerOptions.defaults());
    // Tests want to see the first answer, not the last of ten.
    Config config =
        new ConfigBuilder(Config.fromKubeconfig(server.kubeconfig()))
            .withRequestRetryBackoffLimit(0)
            .build();
    client = new KubernetesClientBuilder().withConfig(config).build();
  }

  @Override
  public void afterAll(ExtensionContext context) {
    if (--users == 0) {
      client.close();
      server.close();
    }
  }

  public ApiServer server() {
    return server;
  }

  public KubernetesClient client() {
    return client;
  }
}
