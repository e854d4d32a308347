package dev.vfio.migration.sandbox.cluster.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.record.ApiServerStore;
import dev.vfio.migration.operator.record.MigrationStore.OutdatedException;
import dev.vfio.migration.sandbox.apiserver.ApiServer;
import dev.vfio.migration.sandbox.apiserver.ApiServerOptions;
import dev.vfio.migration.sandbox.cluster.Repository;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.dsl.base.PatchContext;
import io.fabric8.kubernetes.client.dsl.base.PatchType;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.nio.file.Files;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * The decision over a handover is one compare-and-set: who comes second learns what was decided.
 */
@Timeout(120)
class DecisionStoreTest {
  private ApiServer server;
  private KubernetesClient client;
  private ApiServerStore store;

  @BeforeEach
  void start() throws Exception {
    Repository repository = Repository.find();
    server = new ApiServer(ApiServerOptions.defaults().withDefinitions(repository.crds()));
    Config config = new ConfigBuilder(Config.empty()).withMasterUrl(server.url()).build();
    client = new KubernetesClientBuilder().withConfig(config).build();
    store = new ApiServerStore(client);
    client.resource(Files.readString(repository.example())).create();
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
  }

  private DeviceMigration read() {
    return store.read("default", "move-gpu-0").orElseThrow();
  }

  private static DeviceMigrationStatus status(String handover) {
    return Serialization.unmarshal(
        "{\"handover\":\"" + handover + "\"}", DeviceMigrationStatus.class);
  }

  @Test
  void theSecondOfTwoDecisionsOnTheSameObjectIsRefused() throws Exception {
    DeviceMigration seenByBoth = read();
    store.writeStatus(seenByBoth, status("Committed"));
    assertThatThrownBy(() -> store.writeStatus(seenByBoth, status("RolledBack")))
        .isInstanceOf(OutdatedException.class);
    assertThat(read().getStatus().handover()).isEqualTo(Handover.COMMITTED);
  }

  @Test
  void aDecisionOnAnObjectThatWasCancelledMeanwhileIsRefused() {
    DeviceMigration seen = read();
    client
        .resources(DeviceMigration.class)
        .inNamespace("default")
        .withName("move-gpu-0")
        .patch(PatchContext.of(PatchType.JSON_MERGE), "{\"spec\":{\"cancel\":true}}");
    assertThatThrownBy(() -> store.writeStatus(seen, status("Committed")))
        .isInstanceOf(OutdatedException.class);
    assertThat(read().getStatus()).isNull();
  }

  @Test
  void aDecisionOnADeletedObjectIsRefused() {
    DeviceMigration seen = read();
    client.resource(seen).delete();
    assertThatThrownBy(() -> store.writeStatus(seen, status("Committed")))
        .isInstanceOf(OutdatedException.class);
    assertThat(store.read("default", "move-gpu-0")).isEmpty();
  }
}
