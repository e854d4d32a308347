package dev.vfio.migration.sandbox.apiserver.contract;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.fabric8.kubernetes.api.model.ConfigMap;
import io.fabric8.kubernetes.api.model.ConfigMapBuilder;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClientException;
import io.fabric8.kubernetes.client.Watch;
import io.fabric8.kubernetes.client.Watcher;
import io.fabric8.kubernetes.client.WatcherException;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderCallbacks;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElectionConfigBuilder;
import io.fabric8.kubernetes.client.extended.leaderelection.LeaderElector;
import io.fabric8.kubernetes.client.extended.leaderelection.resourcelock.LeaseLock;
import io.fabric8.kubernetes.client.informers.ResourceEventHandler;
import io.fabric8.kubernetes.client.informers.SharedIndexInformer;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/** Creation, reading, writing, watching and leader election. */
abstract class CoreContract extends ApiServerContract {
  private static final Duration SOON = Duration.ofSeconds(60);

  @Test
  void aNewObjectGetsTheServersMetadata() {
    GenericKubernetesResource created = shipment(newShipment("new")).create();
    assertThat(created.getMetadata().getUid()).isNotBlank();
    assertThat(created.getMetadata().getCreationTimestamp()).isNotBlank();
    assertThat(created.getMetadata().getResourceVersion()).isNotBlank();
    assertThat(created.getMetadata().getGeneration()).isEqualTo(1);
  }

  @Test
  void generateNameMakesDifferentNames() {
    GenericKubernetesResource template = newShipment(null);
    template.getMetadata().setGenerateName("made-");
    String first = shipment(template).create().getMetadata().getName();
    String second = shipment(template).create().getMetadata().getName();
    assertThat(first).startsWith("made-").isNotEqualTo(second);
  }

  @Test
  void creatingTwiceIsAConflict() {
    shipment(newShipment("twice")).create();
    assertThatThrownBy(() -> shipment(newShipment("twice")).create())
        .isInstanceOfSatisfying(
            KubernetesClientException.class,
            e -> {
              assertThat(e.getCode()).isEqualTo(409);
              assertThat(e.getStatus().getReason()).isEqualTo("AlreadyExists");
            });
  }

  @Test
  void whatIsNotThereIsNotFound() {
    assertThat(shipment("nowhere").get()).isNull();
    assertThat(shipment("nowhere").delete()).isEmpty();
  }

  @Test
  void aNamespaceThatDoesNotExistTakesNoObjects() {
    assertThatThrownBy(
            () ->
                client().resource(configMap("lost", "x")).inNamespace("no-such-namespace").create())
        .isInstanceOfSatisfying(
            KubernetesClientException.class, e -> assertThat(e.getCode()).isEqualTo(404));
  }

  @Test
  void anUpdateOfAnOldVersionIsAConflict() {
    GenericKubernetesResource old = shipment(newShipment("lock")).create();
    GenericKubernetesResource changed = shipment("lock").get();
    spec(changed).put("streams", 2);
    shipment(changed).update();
    spec(old).put("streams", 3);
    assertThatThrownBy(() -> shipment(old).update())
        .isInstanceOfSatisfying(
            KubernetesClientException.class,
            e -> {
              assertThat(e.getCode()).isEqualTo(409);
              assertThat(e.getStatus().getReason()).isEqualTo("Conflict");
            });
    assertThat(spec(shipment("lock").get())).containsEntry("streams", 2);
  }

  @Test
  void anUpdateThatChangesNothingKeepsTheVersion() {
    GenericKubernetesResource created = shipment(newShipment("same")).create();
    GenericKubernetesResource updated = shipment(created).update();
    assertThat(updated.getMetadata().getResourceVersion())
        .isEqualTo(created.getMetadata().getResourceVersion());
  }

  @Test
  void statusAndSpecAreWrittenApart() {
    GenericKubernetesResource object = newShipment("apart");
    object.setAdditionalProperty("status", map("phase", "Early"));
    GenericKubernetesResource created = shipment(object).create();
    assertThat(created.getAdditionalProperties()).doesNotContainKey("status");

    created.setAdditionalProperty("status", map("phase", "Running"));
    spec(created).put("streams", 9);
    GenericKubernetesResource withStatus = shipment(created).updateStatus();
    assertThat(status(withStatus)).containsEntry("phase", "Running");
    assertThat(spec(withStatus)).containsEntry("streams", 1);
    assertThat(withStatus.getMetadata().getGeneration()).isEqualTo(1);

    spec(withStatus).put("streams", 4);
    status(withStatus).put("phase", "Ignored");
    GenericKubernetesResource withSpec = shipment(withStatus).update();
    assertThat(status(withSpec)).containsEntry("phase", "Running");
    assertThat(spec(withSpec)).containsEntry("streams", 4);
    assertThat(withSpec.getMetadata().getGeneration()).isEqualTo(2);
  }

  @Test
  void listsSelectByLabelAndField() {
    for (String name : List.of("one", "two", "three")) {
      ConfigMap map = configMap(name, name);
      map.getMetadata().setLabels(Map.of("length", String.valueOf(name.length())));
      client().resource(map).create();
    }
    var maps = client().configMaps().inNamespace(namespace);
    assertThat(maps.withLabel("length", "3").list().getItems())
        .extracting(map -> map.getMetadata().getName())
        .containsExactly("one", "two");
    assertThat(maps.withLabelNotIn("length", "3").withLabel("length").list().getItems())
        .extracting(map -> map.getMetadata().getName())
        .containsExactly("three");
    assertThat(maps.withField("metadata.name", "two").list().getItems()).hasSize(1);
    assertThatThrownBy(() -> maps.withField("data.x", "two").list())
        .isInstanceOfSatisfying(
            KubernetesClientException.class, e -> assertThat(e.getCode()).isEqualTo(400));
  }

  @Test
  void listsComeInPieces() {
    for (int i = 0; i < 5; i++) {
      client().resource(configMap("piece-" + i, "x")).create();
    }
    var maps = client().configMaps().inNamespace(namespace).withLabelNotIn("nothing", "x");
    var first =
        maps.list(new io.fabric8.kubernetes.api.model.ListOptionsBuilder().withLimit(2L).build());
    assertThat(first.getItems()).hasSize(2);
    assertThat(
            first.getMetadata().getRemainingItemCount() == null
                || first.getMetadata().getRemainingItemCount() == 3)
        .isTrue();
    var second =
        maps.list(
            new io.fabric8.kubernetes.api.model.ListOptionsBuilder()
                .withLimit(10L)
                .withContinue(first.getMetadata().getContinue())
                .build());
    assertThat(second.getItems()).hasSize(3);
    assertThat(second.getMetadata().getContinue()).isNullOrEmpty();
  }

  @Test
  void informersSeeEveryChange() throws Exception {
    List<String> seen = new CopyOnWriteArrayList<>();
    client().resource(configMap("first", "1")).create();
    try (SharedIndexInformer<ConfigMap> informer =
        client()
            .configMaps()
            .inNamespace(namespace)
            .inform(
                new ResourceEventHandler<>() {
                  @Override
                  public void onAdd(ConfigMap map) {
                    seen.add("add " + map.getMetadata().getName());
                  }

                  @Override
                  public void onUpdate(ConfigMap old, ConfigMap map) {
                    seen.add(
                        "update " + map.getMetadata().getName() + " " + map.getData().get("value"));
                  }

                  @Override
                  public void onDelete(ConfigMap map, boolean unknown) {
                    seen.add("delete " + map.getMetadata().getName());
                  }
                })) {
      await().atMost(SOON).until(() -> seen.contains("add first") && informer.hasSynced());
      client().resource(configMap("second", "1")).create();
      await().atMost(SOON).until(() -> seen.contains("add second"));
      client().resource(configMap("second", "2")).update();
      await().atMost(SOON).until(() -> seen.contains("update second 2"));
      client().configMaps().inNamespace(namespace).withName("first").delete();
      await().atMost(SOON).until(() -> seen.contains("delete first"));
      assertThat(informer.getStore().list()).hasSize(1);
    }
  }

  @Test
  void aWatchGoesOnFromAResourceVersion() throws Exception {
    ConfigMap before = client().resource(configMap("past", "1")).create();
    client().resource(configMap("present", "1")).create();
    List<String> seen = new CopyOnWriteArrayList<>();
    CountDownLatch both = new CountDownLatch(2);
    try (Watch ignored =
        client()
            .configMaps()
            .inNamespace(namespace)
            .withResourceVersion(before.getMetadata().getResourceVersion())
            .watch(recorder(seen, both))) {
      client().configMaps().inNamespace(namespace).withName("past").delete();
      assertThat(both.await(60, TimeUnit.SECONDS)).isTrue();
      assertThat(seen).containsExactly("ADDED present", "DELETED past");
    }
  }

  @Test
  void anObjectThatLeavesTheSelectionIsSeenAsDeleted() throws Exception {
    List<String> seen = new CopyOnWriteArrayList<>();
    CountDownLatch two = new CountDownLatch(2);
    ConfigMap map = configMap("changing", "1");
    map.getMetadata().setLabels(Map.of("shown", "yes"));
    try (Watch ignored =
        client()
            .configMaps()
            .inNamespace(namespace)
            .withLabel("shown", "yes")
            .watch(recorder(seen, two))) {
      client().resource(map).create();
      map.getMetadata().setLabels(Map.of("shown", "no"));
      client().resource(map).update();
      assertThat(two.await(60, TimeUnit.SECONDS)).isTrue();
      assertThat(seen).containsExactly("ADDED changing", "DELETED changing");
    }
  }

  @Test
  void oneLeaderIsElectedAndTheNextTakesOver() throws Exception {
    CountDownLatch firstLeads = new CountDownLatch(1);
    CountDownLatch secondLeads = new CountDownLatch(1);
    CompletableFuture<?> first = elector("first", firstLeads).start();
    assertThat(firstLeads.await(60, TimeUnit.SECONDS)).isTrue();
    CompletableFuture<?> second = elector("second", secondLeads).start();
    assertThat(secondLeads.await(500, TimeUnit.MILLISECONDS)).isFalse();
    first.cancel(true);
    assertThat(secondLeads.await(15, TimeUnit.SECONDS)).isTrue();
    second.cancel(true);
  }

  /** Records events; those of the cluster's own map, which is in every namespace, are left out. */
  private static Watcher<ConfigMap> recorder(List<String> seen, CountDownLatch events) {
    return new Watcher<>() {
      @Override
      public void eventReceived(Action action, ConfigMap map) {
        if (!map.getMetadata().getName().startsWith("kube-")) {
          seen.add(action + " " + map.getMetadata().getName());
          events.countDown();
        }
      }

      @Override
      public void onClose(WatcherException cause) {
        seen.add("closed");
      }
    };
  }

  private LeaderElector elector(String identity, CountDownLatch leads) {
    return client()
        .leaderElector()
        .withConfig(
            new LeaderElectionConfigBuilder()
                .withName("contract")
                .withLock(new LeaseLock(namespace, "contract-leader", identity))
                .withLeaseDuration(Duration.ofSeconds(3))
                .withRenewDeadline(Duration.ofSeconds(2))
                .withRetryPeriod(Duration.ofMillis(200))
                .withReleaseOnCancel(true)
                .withLeaderCallbacks(new LeaderCallbacks(leads::countDown, () -> {}, leader -> {}))
                .build())
        .build();
  }

  ConfigMap configMap(String name, String value) {
    return new ConfigMapBuilder()
        .withNewMetadata()
        .withName(name)
        .withNamespace(namespace)
        .endMetadata()
        .addToData("value", value)
        .build();
  }
}
