package dev.vfio.migration.sandbox.apiserver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.sandbox.apiserver.contract.SandboxServer;
import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.dsl.NonDeletingOperation;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.io.IOException;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The switches by which tests of clients make the server misbehave, and that informers recover. */
class FaultsTest {
  private static final Duration SOON = Duration.ofSeconds(60);

  @RegisterExtension static final SandboxServer SERVER = new SandboxServer();

  private final RawClient raw = new RawClient(SERVER.server().url());

  @AfterEach
  void clear() {
    SERVER.server().faults().clear();
  }

  @Test
  void theNextWritesFailAndThenNoMore() throws Exception {
    SERVER.server().faults().failWrites(2, 500);
    assertThat(write("failing").code()).isEqualTo(500);
    assertThat(write("failing").code()).isEqualTo(500);
    assertThat(write("failing").code()).isEqualTo(201);
    SERVER.server().faults().failWrites(1, 409, write -> write.resource().equals("leases"));
    assertThat(write("other").code()).isEqualTo(201);
    assertThatThrownBy(() -> SERVER.server().faults().failWrites(1, 200))
        .isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void informersContinueAfterDroppedWatchesLostHistoryAndCutConnections() throws Exception {
    try (SharedIndexInformer<ConfigMap> informer =
        SERVER.client().configMaps().inNamespace("kube-system").inform()) {
      create("before");
      await().atMost(SOON).until(() -> informer.getStore().list().size() == 1);
      SERVER.server().faults().dropWatches();
      create("after-drop");
      await().atMost(SOON).until(() -> informer.getStore().list().size() == 2);
      SERVER.server().faults().forgetHistory();
      create("after-forgetting");
      await().atMost(SOON).until(() -> informer.getStore().list().size() == 3);
      SERVER.server().faults().cutConnections();
      // A client learns of a cut connection by the request that it makes over it.
      await()
          .atMost(SOON)
          .ignoreExceptionsMatching(KubernetesClientException.class::isInstance)
          .until(
              () -> {
                create("after-cut");
                return true;
              });
      await().atMost(SOON).until(() -> informer.getStore().list().size() == 4);
    }
  }

  @Test
  void refusedConnectionsLookLikeNoServer() throws Exception {
    SERVER.server().faults().refuseConnections(true);
    assertThatThrownBy(() -> raw.get("/version")).isInstanceOf(IOException.class);
    SERVER.server().faults().refuseConnections(false);
    assertThat(raw.get("/version").code()).isEqualTo(200);
  }

  private RawClient.Answer write(String name) throws Exception {
    return raw.post(
        "/api/v1/namespaces/default/configmaps",
        "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%s\"}}"
            .formatted(name));
  }

  private static void create(String name) {
    SERVER
        .client()
        .resource(
            new ConfigMapBuilder()
                .withNewMetadata()
                .withName(name)
                .withNamespace("kube-system")
                .endMetadata()
                .build())
        .createOr(NonDeletingOperation::update);
  }
}
