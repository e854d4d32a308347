package dev.vfio.migration.sandbox.cluster.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.operator.api.VfioNode;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import dev.vfio.migration.operator.inventory.ApiServerNodes;
import dev.vfio.migration.sandbox.apiserver.ApiServer;
import dev.vfio.migration.sandbox.apiserver.ApiServerOptions;
import dev.vfio.migration.sandbox.cluster.Repository;
import io.fabric8.kubernetes.api.model.ManagedFieldsEntry;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A node is written by compare-and-set: nothing that is newer is overwritten. */
@Timeout(120)
class NodeStoreTest {
  private static final String NODE = "node-a";

  private ApiServer server;
  private KubernetesClient client;
  private ApiServerNodes store;

  @BeforeEach
  void start() throws Exception {
    server = new ApiServer(ApiServerOptions.defaults().withDefinitions(Repository.find().crds()));
    Config config =
        new ConfigBuilder(Config.empty())
            .withMasterUrl(server.url())
            .withRequestRetryBackoffLimit(0)
            .build();
    client = new KubernetesClientBuilder().withConfig(config).build();
    store = new ApiServerNodes(client);
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
  }

  private static VfioNodeStatus status(String agentVersion, Boolean reachable) {
    return new VfioNodeStatus(agentVersion, reachable, null, null, null, List.of());
  }

  private VfioNode read() {
    return store.read(NODE).orElseThrow();
  }

  @Test
  void aNodeThatWasNeverLookedAtHasNoObject() {
    assertThat(store.list()).isEmpty();
    assertThat(store.read(NODE)).isEmpty();
  }

  @Test
  void anObjectIsMadeOnceAndAnsweredAsItIsAfterwards() {
    VfioNode made = store.create(NODE);
    assertThat(made.getMetadata().getName()).isEqualTo(NODE);
    assertThat(made.getMetadata().getResourceVersion()).isNotEmpty();
    assertThat(store.writeStatus(made, status("1.0", true))).isTrue();

    VfioNode again = store.create(NODE);
    assertThat(again.getMetadata().getUid()).isEqualTo(made.getMetadata().getUid());
    assertThat(again.getStatus().agentVersion()).as("not made anew").isEqualTo("1.0");
    assertThat(store.list()).hasSize(1);
  }

  @Test
  void everyNodeIsListed() {
    store.create("node-b");
    store.create(NODE);
    assertThat(store.list())
        .extracting(node -> node.getMetadata().getName())
        .containsExactlyInAnyOrder(NODE, "node-b");
  }

  @Test
  void theSecondOfTwoWritesOnWhatBothSawIsNotDone() {
    VfioNode seenByBoth = store.create(NODE);
    assertThat(store.writeStatus(seenByBoth, status("new", true))).isTrue();
    assertThat(store.writeStatus(seenByBoth, status("old", false))).isFalse();
    assertThat(read().getStatus().agentVersion()).isEqualTo("new");
    assertThat(store.writeStatus(read(), status("newer", true))).as("who looks again may").isTrue();
  }

  @Test
  void whatIsNoLongerSaidIsTakenOutOfTheObject() {
    store.writeStatus(
        store.create(NODE), new VfioNodeStatus("1.0", false, "no answer", null, null, List.of()));
    assertThat(read().getStatus().problem()).isEqualTo("no answer");
    assertThat(store.writeStatus(read(), status("1.0", true))).isTrue();
    assertThat(read().getStatus().problem()).isNull();
  }

  @Test
  void theStatusIsWrittenUnderTheOperatorsName() {
    store.writeStatus(store.create(NODE), status("1.0", true));
    assertThat(read().getMetadata().getManagedFields())
        .filteredOn(entry -> "status".equals(entry.getSubresource()))
        .extracting(ManagedFieldsEntry::getOperation)
        .containsExactly("Apply");
  }

  @Test
  void aDeletedObjectIsNeitherWrittenNorMade() {
    VfioNode seen = store.create(NODE);
    client.resource(seen).delete();
    assertThat(store.writeStatus(seen, status("1.0", true))).isFalse();
    assertThat(store.read(NODE)).isEmpty();
  }

  @Test
  void anObjectThatWasMadeAnewIsNotTheOneThatWasSeen() {
    VfioNode seen = store.create(NODE);
    client.resource(seen).delete();
    store.create(NODE);
    assertThat(store.writeStatus(seen, status("1.0", true))).isFalse();
    assertThat(read().getStatus()).isNull();
    store.delete(seen);
    assertThat(store.read(NODE)).isPresent();
  }

  @Test
  void onlyWhatIsAsItWasSeenIsDeleted() {
    VfioNode seen = store.create(NODE);
    store.writeStatus(seen, status("1.0", true));
    store.delete(seen);
    assertThat(store.read(NODE)).as("it changed meanwhile").isPresent();

    store.delete(read());
    assertThat(store.read(NODE)).isEmpty();
    store.delete(seen);
  }

  @Test
  void whatTheApiServerRefusesForAnotherReasonIsAFailure() {
    assertThatThrownBy(() -> store.create("Not A Name"))
        .isInstanceOfSatisfying(
            KubernetesClientException.class,
            refused -> assertThat(refused.getCode()).isEqualTo(422));
    VfioNode seen = store.create(NODE);
    server.close();
    assertThatThrownBy(() -> store.writeStatus(seen, status("1.0", true)))
        .isInstanceOf(KubernetesClientException.class);
  }
}
