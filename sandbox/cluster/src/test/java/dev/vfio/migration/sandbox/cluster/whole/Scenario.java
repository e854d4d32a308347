package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.cluster.DevicePair;
import dev.vfio.migration.sandbox.cluster.DeviceShape;
import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import dev.vfio.migration.sandbox.cluster.migration.AppliedMigration;
import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import dev.vfio.migration.sandbox.cluster.process.ProcessLog;
import io.fabric8.kubernetes.api.model.NamespaceBuilder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.awaitility.core.ConditionFactory;

/**
 * One migration of one new pair of devices: what it is to be, what happens on the way, and how it
 * must have ended. Used by one thread.
 */
final class Scenario implements AutoCloseable {
  private static final Duration LOOK_AGAIN = Duration.ofMillis(25);
  private static final Set<String> ENDED = Set.of("Succeeded", "Failed", "Cancelled");

  private final TestCluster testCluster;
  private final String name;
  private final Map<String, Object> spec = new HashMap<>();
  private String namespace = "default";
  private DeviceShape source;
  private DeviceShape destination;
  private DevicePair pair;
  private boolean ownedByAnother;
  private boolean busyDestination;
  private AppliedMigration migration;

  Scenario(TestCluster testCluster, String name) {
    this.testCluster = testCluster;
    this.name = name;
    this.source = DeviceShape.small(name);
    this.destination = DeviceShape.small(name);
    spec.put("source", Map.of("nodeName", SandboxCluster.SOURCE_NODE, "device", source.id()));
    spec.put(
        "destination", Map.of("nodeName", SandboxCluster.DESTINATION_NODE, "device", source.id()));
  }

  // --- what it is to be ---

  Scenario devices(UnaryOperator<DeviceShape> change) {
    source = change.apply(source);
    destination = change.apply(destination);
    return this;
  }

  Scenario source(UnaryOperator<DeviceShape> change) {
    source = change.apply(source);
    return this;
  }

  Scenario sourceFault(String fault) {
    return source(shape -> shape.withFault(fault));
  }

  Scenario destination(UnaryOperator<DeviceShape> change) {
    destination = change.apply(destination);
    return this;
  }

  Scenario destinationFault(String fault) {
    return destination(shape -> shape.withFault(fault));
  }

  /** A workload of its own runs on the destination's device. */
  Scenario busyDestination() {
    busyDestination = true;
    return this;
  }

  /** Makes that namespace where it is not there yet, and the migration in it. */
  Scenario namespace(String other) {
    namespace = other;
    testCluster
        .cluster()
        .client()
        .resource(new NamespaceBuilder().withNewMetadata().withName(other).endMetadata().build())
        .serverSideApply();
    return this;
  }

  Scenario spec(String field, Object value) {
    spec.put(field, value);
    return this;
  }

  /** Holds the copy in PreCopy until {@link #switchOver()}. */
  Scenario manual() {
    return spec("switchover", "Manual");
  }

  Scenario cold() {
    return spec("convergence", Map.of("mode", "Cold"));
  }

  // --- what happens ---

  /** Starts the devices and applies the migration. */
  Scenario begin() throws IOException, InterruptedException {
    return startDevices().apply();
  }

  /** Begins, and returns while the destination's device loads, which takes it a second. */
  Scenario beginToLoad() throws IOException, InterruptedException {
    return destinationFault("stall=RESUME_COMPLETED:1000").begin().awaitFault(false);
  }

  Scenario startDevices() throws IOException, InterruptedException {
    SandboxCluster cluster = testCluster.cluster();
    pair =
        new DevicePair(
            source,
            cluster.launchDevice(SandboxCluster.SOURCE_NODE, source, true),
            cluster.launchDevice(SandboxCluster.DESTINATION_NODE, destination, busyDestination));
    testCluster.cluster().awaitDevice(pair.source());
    testCluster.cluster().awaitDevice(pair.destination());
    return this;
  }

  Scenario apply() {
    migration =
        AppliedMigration.apply(
            testCluster.cluster().client(),
            "whole-system-test",
            AppliedMigration.object(namespace, name, spec),
            TestCluster.TIMEOUT);
    return this;
  }

  /** Another migration of the same devices, for {@link #apply()}. It does not own the devices. */
  Scenario again(String otherName) {
    Scenario other = testCluster.scenario(otherName);
    other.spec.put("source", spec.get("source"));
    other.spec.put("destination", spec.get("destination"));
    other.pair = pair;
    other.ownedByAnother = true;
    return other;
  }

  /** A migration of the same devices the other way. It does not own the devices. */
  Scenario back(String otherName) {
    Scenario other = again(otherName);
    other.spec.put("source", spec.get("destination"));
    other.spec.put("destination", spec.get("source"));
    other.pair = new DevicePair(source, pair.destination(), pair.source());
    return other;
  }

  Scenario switchOver() {
    migration.switchOver();
    return this;
  }

  Scenario cancel() {
    migration.cancel();
    return this;
  }

  Scenario delete() {
    migration.delete();
    return this;
  }

  Scenario awaitPhase(String phase) {
    waiting("phase " + phase)
        .until(
            () -> {
              MigrationView view = view();
              if (ENDED.contains(view.phase()) && !view.phase().equals(phase)) {
                throw new AssertionError(
                    name + " ended as " + view.phase() + " and not in " + phase + ": " + view);
              }
              return view.phase().equals(phase);
            });
    return this;
  }

  Scenario awaitCondition(String type, String status, String reason) {
    waiting("condition %s=%s %s".formatted(type, status, reason))
        .until(
            () ->
                view()
                    .condition(type)
                    .filter(it -> it.status().equals(status) && it.reason().equals(reason))
                    .isPresent());
    return this;
  }

  Scenario awaitSourceState(String state) {
    return awaitState(pair.source(), state);
  }

  Scenario awaitDestinationState(String state) {
    return awaitState(pair.destination(), state);
  }

  private Scenario awaitState(LaunchedDevice device, String state) {
    waiting("device state " + state)
        .until(() -> device.log().events().stream().anyMatch(it -> it.entersState(state)));
    return this;
  }

  /** Waits until the source's or the destination's device has done what its fault says. */
  Scenario awaitFault(boolean ofSource) {
    waiting("fault of the device")
        .until(() -> faulted(ofSource ? pair.source() : pair.destination()));
    return this;
  }

  /** Waits until that node's agent has these words in a line of its log about this migration. */
  Scenario awaitSaid(String node, String words) {
    ProcessLog log = new ProcessLog(testCluster.cluster().agent(node).log());
    waiting(words + " in " + log.file()).until(() -> log.said(name, words));
    return this;
  }

  /** Waits until that node's agent has journalled that entry for this migration. */
  Scenario awaitJournalled(String node, String entry) {
    String begin = object().at("/metadata/uid").asText() + ".1.";
    waiting("the agent of " + node + " journals " + entry)
        .until(
            () -> {
              try (Stream<Path> files = Files.list(testCluster.cluster().node(node).journal())) {
                for (Path file : files.toList()) {
                  if (file.getFileName().toString().startsWith(begin)
                      && Files.readString(file, StandardCharsets.ISO_8859_1)
                          .contains("\"entry\":\"" + entry + "\"")) {
                    return true;
                  }
                }
                return false;
              }
            });
    return this;
  }

  Scenario awaitTrue(Callable<Boolean> condition) {
    waiting("what the test waits for").until(condition);
    return this;
  }

  /** Waits until the object does not exist: its finalizer was removed, so nothing is under way. */
  Scenario awaitDeleted() {
    waiting("the object does not exist").until(() -> !exists());
    return this;
  }

  private ConditionFactory waiting(String what) {
    return await(name + ": " + what).atMost(TestCluster.TIMEOUT).pollInterval(LOOK_AGAIN);
  }

  // --- what is ---

  String name() {
    return name;
  }

  DevicePair pair() {
    return pair;
  }

  JsonNode object() {
    return migration.object();
  }

  MigrationView view() {
    return migration.view();
  }

  boolean exists() {
    return migration.exists();
  }

  private static boolean faulted(LaunchedDevice device) throws IOException {
    return device.log().events().stream().anyMatch(event -> event.event().equals("fault"));
  }

  // --- how it must have ended ---

  /** Succeeded; the destination runs on with every step and byte; H1 to H3. */
  Scenario succeeded() throws IOException {
    awaitPhase("Succeeded");
    JsonNode status = object().path("status");
    assertThat(status.path("handover").asText()).isEqualTo("Committed");
    assertThat(view().condition("Succeeded")).get().matches(it -> it.status().equals("True"));
    assertThat(pair.evidence().downtimeNanos()).as("a pause and then RUNNING").isPresent();
    runsOnAt(pair.destination());
    return this;
  }

  /**
   * Failed for that reason, with a message that has those words; the source runs on with every step
   * and byte.
   */
  Scenario failed(String reason, String... message) throws IOException {
    awaitPhase("Failed");
    MigrationView.Condition condition = view().condition("Succeeded").orElseThrow();
    assertThat(condition.status()).isEqualTo("False");
    assertThat(condition.reason()).as(condition.message()).isEqualTo(reason);
    for (String words : message) {
      assertThat(cause()).contains(words);
    }
    runsOnAt(pair.source());
    return this;
  }

  /**
   * The message of the one condition that states the cause: Validated where the migration was
   * refused, Succeeded where it failed later.
   */
  String cause() throws IOException {
    return view()
        .condition("Validated")
        .filter(condition -> condition.status().equals("False"))
        .or(() -> view().condition("Succeeded"))
        .orElseThrow()
        .message();
  }

  /** As {@link #failed}, where more than one reason is right. */
  Scenario failedBecauseOfOneOf(String... reasons) throws IOException {
    awaitPhase("Failed");
    MigrationView.Condition condition = view().condition("Succeeded").orElseThrow();
    assertThat(condition.reason()).as(condition.message()).isIn((Object[]) reasons);
    runsOnAt(pair.source());
    return this;
  }

  /** Ended one way or the other, and nothing was lost: for what may go either way. */
  Scenario endedSafely() throws IOException {
    waiting("an end").until(() -> ENDED.contains(view().phase()));
    boolean moved = view().phase().equals("Succeeded");
    runsOnAt(moved ? pair.destination() : pair.source());
    return this;
  }

  /** Cancelled; the source runs on with every step and byte. */
  Scenario cancelled() throws IOException {
    awaitPhase("Cancelled");
    MigrationView.Condition condition = view().condition("Succeeded").orElseThrow();
    assertThat(condition.status()).isEqualTo("False");
    assertThat(condition.reason()).isEqualTo("CancelledByUser");
    runsOnAt(pair.source());
    return this;
  }

  /** Nothing was touched: neither device has left the state it began in. */
  Scenario untouched() throws IOException {
    assertThat(states(pair.source())).isSubsetOf("RUNNING");
    assertThat(states(pair.destination())).isEmpty();
    assertThat(pair.source().console().status().path("workload").asText()).isEqualTo("running");
    return this;
  }

  /** The states that the device entered, in order. */
  List<String> states(LaunchedDevice device) throws IOException {
    return device.log().events().stream()
        .filter(event -> event.event().equals("state"))
        .map(event -> event.text("to"))
        .toList();
  }

  /** That device runs the workload and it alone; no step was lost or done twice; H1 to H3. */
  void runsOnAt(LaunchedDevice owner) throws IOException {
    waiting("the workload runs on")
        .until(() -> owner.console().status().path("workload").asText().equals("running"));
    long step = owner.console().status().path("step").asLong();
    waiting("the workload makes steps")
        .until(() -> owner.console().status().path("step").asLong() > step);
    waiting("H1 to H3").until(() -> pair.evidence().violations(), List::isEmpty);
    assertThat(owner.console().verify())
        .as("continuity")
        .matches(continuity -> continuity.ok(), "ok");
    assertThat(pair.evidence().neverBothRunning()).isEmpty();
  }

  /** The workload at the source was never paused. */
  Scenario neverPaused() throws IOException {
    Optional<DeviceEvent> pause =
        pair.source().log().events().stream()
            .filter(event -> event.workloadBecomes("paused"))
            .findFirst();
    assertThat(pause).isEmpty();
    return this;
  }

  @Override
  public void close() {
    if (migration != null) {
      migration.delete();
    }
    if (pair != null && !ownedByAnother) {
      pair.end();
    }
  }
}
