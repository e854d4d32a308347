package dev.vfio.migration.sandbox.cluster.record;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.api.VfioNodeStatus;
import dev.vfio.migration.operator.inventory.ApiServerNodes;
import dev.vfio.migration.operator.record.ApiServerEvents;
import dev.vfio.migration.operator.record.ApiServerStore;
import dev.vfio.migration.operator.record.EventReason;
import dev.vfio.migration.operator.record.EventRecorder;
import dev.vfio.migration.operator.record.MigrationStore.ContentRefusedException;
import dev.vfio.migration.operator.record.StatusRecord;
import dev.vfio.migration.sandbox.apiserver.ApiServer;
import dev.vfio.migration.sandbox.apiserver.ApiServerOptions;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.text.ForeignText;
import io.fabric8.kubernetes.api.model.events.v1.Event;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What agents may say, recorded in an API server that holds everybody to the CRDs. */
@Timeout(120)
class HostileTextInStatusTest {
  private static final String FORGED =
      "x\nNAME  PHASE  Succeeded\r\u0000\u2028\u001b[2K\u202e\ud800";
  private static final String LONG = FORGED + "機".repeat(120_000) + " Reset the device.";
  private static final String NAME = "move-gpu-0";

  @TempDir private Path folder;

  private final List<String> notes = new ArrayList<>();
  private ApiServer server;
  private KubernetesClient client;
  private ApiServerStore store;

  @BeforeEach
  void start() throws Exception {
    serve(Repository.find().crds());
  }

  private void serve(Path definitions) throws Exception {
    server = new ApiServer(ApiServerOptions.defaults().withDefinitions(definitions));
    Config config =
        new ConfigBuilder(Config.empty())
            .withMasterUrl(server.url())
            .withRequestRetryBackoffLimit(0)
            .build();
    client = new KubernetesClientBuilder().withConfig(config).build();
    store = new ApiServerStore(client);
    client.resource(Files.readString(Repository.find().example())).create();
  }

  /** Serves with the CRD of another release: no status may say more than 10 percent. */
  private void serveOtherDefinition() throws Exception {
    stop();
    String name = "devicemigrations.migration.vfio.dev-v1.yml";
    String definition = Files.readString(Repository.find().crds().resolve(name));
    assertThat(definition).contains("maximum: 100.0");
    Files.writeString(folder.resolve(name), definition.replace("maximum: 100.0", "maximum: 10.0"));
    serve(folder);
  }

  @AfterEach
  void stop() {
    client.close();
    server.close();
  }

  private DeviceMigration read() {
    return store.read("default", NAME).orElseThrow();
  }

  private StatusRecord record() {
    EventRecorder events =
        new EventRecorder() {
          @Override
          public void record(DeviceMigration about, EventReason reason, String note) {
            notes.add(note);
          }

          @Override
          public void close() {
            // Holds nothing.
          }
        };
    return new StatusRecord(
        store, events, (migration, before, after) -> {}, Clock.systemUTC(), Duration.ZERO);
  }

  private static Condition condition(String type, String message) {
    return new Condition(
        type, Condition.Status.FALSE, "AgentFailed", message, "2026-01-01T00:00:00Z", 1L);
  }

  /** As long as a status gets: every text that comes from elsewhere, in every place it may have. */
  private static DeviceMigrationStatus status(Phase phase, Handover handover, int percent) {
    return new DeviceMigrationStatus(
        phase,
        1L,
        1,
        handover,
        handover == Handover.ROLLED_BACK ? new Rollback("AgentFailed", LONG, false) : null,
        "PRECOPY",
        "RESUME",
        "REGION_2018",
        null,
        percent,
        Long.MAX_VALUE,
        "8Ei/s",
        Long.MAX_VALUE,
        Long.MIN_VALUE,
        Long.MAX_VALUE,
        "876600h",
        "876600h",
        Long.MAX_VALUE,
        null,
        Long.toUnsignedString(-1),
        null,
        Collections.nCopies(32, new PhaseTransition(phase, "2026-01-01T00:00:00.000Z")),
        List.of(
            condition("Validated", LONG),
            condition("SourceReady", LONG),
            condition("DestinationReady", LONG),
            condition("Converged", LONG),
            condition("HandedOver", LONG),
            condition("Succeeded", LONG)),
        null);
  }

  @Test
  void theLongestStatusIsRecordedWithFewerWords() throws Exception {
    store.writeStatus(read(), status(Phase.ROLLING_BACK, Handover.ROLLED_BACK, 99));
    DeviceMigrationStatus recorded = read().getStatus();
    List<String> messages = new ArrayList<>(List.of(recorded.rollback().message()));
    recorded.conditions().forEach(condition -> messages.add(condition.message()));
    assertThat(messages)
        .hasSize(7)
        .allSatisfy(
            message -> {
              assertThat(ForeignText.isPlain(message)).isTrue();
              assertThat(message)
                  .startsWith("x\\nNAME")
                  .containsPattern("\\(cut, 1200[0-9]{2} characters\\)")
                  .endsWith(" Reset the device.")
                  .hasSizeLessThan(32_768);
            });
  }

  /**
   * A limit that is added to the CRD is a way for a status to be refused: who adds one sees to it
   * that what the operator writes keeps it, and names it here.
   */
  @Test
  void theseAreAllTheLimitsThatAStatusHas() throws Exception {
    TreeSet<String> limits = new TreeSet<>();
    for (String name : List.of("devicemigrations", "vfionodes")) {
      JsonNode definition =
          Serialization.unmarshal(
              Files.readString(
                  Repository.find().crds().resolve(name + ".migration.vfio.dev-v1.yml")),
              JsonNode.class);
      JsonNode schema = definition.at("/spec/versions/0/schema/openAPIV3Schema/properties/status");
      assertThat(schema.isObject()).isTrue();
      collect(schema, name, limits);
    }
    assertThat(limits)
        .containsExactly(
            // Closed enums and numbers of the operator's own.
            "devicemigrations.attempt minimum",
            "devicemigrations.conditions[].lastTransitionTime format",
            // Cut in Condition.
            "devicemigrations.conditions[].message maxLength",
            "devicemigrations.conditions[].observedGeneration minimum",
            // ConditionReason and ConditionType.
            "devicemigrations.conditions[].reason maxLength",
            "devicemigrations.conditions[].reason minLength",
            "devicemigrations.conditions[].reason pattern",
            "devicemigrations.conditions[].status enum",
            "devicemigrations.conditions[].type maxLength",
            "devicemigrations.conditions[].type minLength",
            "devicemigrations.handover enum",
            "devicemigrations.phase enum",
            "devicemigrations.phaseTransitions[].phase enum",
            "devicemigrations.phaseTransitions[].time format",
            // StatusDraft bounds it.
            "devicemigrations.progressPercent maximum",
            "devicemigrations.progressPercent minimum",
            "vfionodes.lastChange format");
  }

  private static void collect(JsonNode schema, String path, TreeSet<String> limits) {
    for (String limit :
        List.of(
            "maxLength",
            "minLength",
            "maxItems",
            "minItems",
            "maxProperties",
            "pattern",
            "enum",
            "minimum",
            "maximum",
            "multipleOf",
            "format",
            "x-kubernetes-validations")) {
      if (schema.has(limit)) {
        limits.add(path + " " + limit);
      }
    }
    schema
        .path("properties")
        .properties()
        .forEach(field -> collect(field.getValue(), path + "." + field.getKey(), limits));
    if (schema.has("items")) {
      collect(schema.get("items"), path + "[]", limits);
    }
  }

  @Test
  void aDecisionIsRecordedThoughTheServerRefusesTheRest() throws Exception {
    serveOtherDefinition();
    DeviceMigrationStatus copying = status(Phase.SWITCHING_OVER, Handover.UNDECIDED, 50);
    assertThatThrownBy(() -> store.writeStatus(read(), copying))
        .isInstanceOf(ContentRefusedException.class)
        .hasMessageContaining("422");

    StatusRecord record = record();
    DeviceMigration written = record.write(read(), copying).migration();
    assertThat(written.getStatus().phase()).isEqualTo(Phase.SWITCHING_OVER);
    written = record.write(written, status(Phase.COMMITTED, Handover.COMMITTED, 100)).migration();

    DeviceMigrationStatus recorded = read().getStatus();
    assertThat(recorded).isEqualTo(written.getStatus());
    assertThat(recorded.handover()).isEqualTo(Handover.COMMITTED);
    assertThat(recorded.phase()).isEqualTo(Phase.COMMITTED);
    assertThat(recorded.phaseTransitions()).hasSize(32);
    assertThat(recorded.progressPercent()).isNull();
    assertThat(recorded.conditions())
        .hasSize(6)
        .allSatisfy(
            condition ->
                assertThat(condition.message())
                    .startsWith("The full status could not be written: HTTP 422")
                    .contains("progressPercent"));

    DeviceMigrationStatus done = status(Phase.SUCCEEDED, Handover.COMMITTED, 10);
    assertThat(record.write(written, done).migration().getStatus().conditions().get(0).message())
        .as("what the server takes is written in full again")
        .startsWith("x\\nNAME");
  }

  @Test
  void aNoteOfTooManyBytesIsShortened() {
    DeviceMigration about = read();
    about.getMetadata().setName("a".repeat(62) + "." + "b".repeat(173) + "-" + "c".repeat(16));
    try (ApiServerEvents events = new ApiServerEvents(client, Clock.systemUTC(), "operator-0")) {
      events.record(about, EventReason.REFUSED, LONG);
      await()
          .atMost(Duration.ofSeconds(40))
          .until(
              () ->
                  !client
                      .resources(Event.class)
                      .inNamespace("default")
                      .list()
                      .getItems()
                      .isEmpty());
    }
    Event event = client.resources(Event.class).inNamespace("default").list().getItems().get(0);
    assertThat(event.getNote().getBytes(StandardCharsets.UTF_8).length).isLessThanOrEqualTo(1024);
    assertThat(ForeignText.isPlain(event.getNote())).isTrue();
    assertThat(event.getNote()).contains("(cut, ").endsWith(" Reset the device.");
    assertThat(event.getMetadata().getName()).hasSizeLessThanOrEqualTo(253).doesNotContain("-.");
  }

  @Test
  void whatANodesAgentSaysIsRecordedWithFewerWords() {
    ApiServerNodes nodes = new ApiServerNodes(client);
    VfioNodeStatus said = new VfioNodeStatus(LONG, false, LONG, null, null, List.of());
    assertThat(nodes.writeStatus(nodes.create("node-a"), said)).isTrue();
    VfioNodeStatus recorded = nodes.read("node-a").orElseThrow().getStatus();
    assertThat(recorded).isEqualTo(said);
    assertThat(ForeignText.isPlain(recorded.problem())).isTrue();
    assertThat(ForeignText.isPlain(recorded.agentVersion())).isTrue();
  }

  @Test
  void aHugeExponentInASpecIsRefusedAtOnce() throws Exception {
    String object =
        """
        {"apiVersion": "migration.vfio.dev/v1alpha1", "kind": "DeviceMigration",
         "metadata": {"name": "huge", "namespace": "default"},
         "spec": {"source": {"nodeName": "a", "device": "vfio-user:x"},
                  "destination": {"nodeName": "b", "device": "vfio-user:x"},
                  "transfer": {"bandwidthLimit": %s}}}
        """;
    for (String size : List.of("\"1e999999999\"", "\"1e-99999999\"", "1e999999999", "1.5")) {
      HttpResponse<String> answer =
          HttpClient.newHttpClient()
              .send(
                  HttpRequest.newBuilder(
                          URI.create(
                              server.url()
                                  + "/apis/migration.vfio.dev/v1alpha1/namespaces/default"
                                  + "/devicemigrations"))
                      .header("Content-Type", "application/json")
                      .timeout(Duration.ofSeconds(40))
                      .POST(HttpRequest.BodyPublishers.ofString(object.formatted(size)))
                      .build(),
                  HttpResponse.BodyHandlers.ofString());
      assertThat(answer.statusCode()).as("%s: %s", size, answer.body()).isBetween(400, 422);
    }
  }
}
