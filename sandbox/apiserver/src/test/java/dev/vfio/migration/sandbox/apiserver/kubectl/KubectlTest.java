package dev.vfio.migration.sandbox.apiserver.kubectl;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.sandbox.apiserver.ApiServer;
import dev.vfio.migration.sandbox.apiserver.ApiServerOptions;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What people type works: the real kubectl against the server. */
@RequiresKubectl
class KubectlTest {
  private static final Duration SOON = Duration.ofSeconds(60);
  private static final String MANIFEST =
      """
      apiVersion: sandbox.vfio.dev/v1
      kind: Shipment
      metadata:
        name: %s
      spec:
        source: {nodeName: node-a}
        destination: {nodeName: node-b}
        streams: %d
      """;

  @TempDir static Path home;
  private static ApiServer server;
  private static Kubectl kubectl;
  private static int count;

  private String name;

  @BeforeAll
  static void start() throws IOException {
    server =
        new ApiServer(
            ApiServerOptions.defaults().withDefinitions(Path.of("src/test/resources/definitions")));
    kubectl = new Kubectl(Kubectl.find().orElseThrow(), home, server.kubeconfig());
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @BeforeEach
  void freshName() {
    name = "shipment-" + count++;
  }

  @Test
  void applyCreatesChangesAndLeavesAlone() {
    assertThat(apply(1)).isEqualTo("shipment.sandbox.vfio.dev/%s created\n".formatted(name));
    assertThat(apply(1)).isEqualTo("shipment.sandbox.vfio.dev/%s unchanged\n".formatted(name));
    assertThat(apply(2)).isEqualTo("shipment.sandbox.vfio.dev/%s configured\n".formatted(name));
    assertThat(kubectl.run("get", "shp", name, "-o", "jsonpath={.spec.streams}").output())
        .isEqualTo("2");
  }

  @Test
  void serverSideApplyReportsConflicts() {
    String manifest = MANIFEST.formatted(name, 2);
    assertThat(
            kubectl
                .feed(manifest, "apply", "--server-side", "--field-manager=alice", "-f", "-")
                .expectSuccess()
                .output())
        .contains("serverside-applied");
    Kubectl.Result conflict =
        kubectl.feed(
            MANIFEST.formatted(name, 3),
            "apply",
            "--server-side",
            "--field-manager=bob",
            "-f",
            "-");
    assertThat(conflict.exitCode()).isNotZero();
    assertThat(conflict.errors()).contains("conflict with \"alice\"").contains(".spec.streams");
    kubectl
        .feed(
            MANIFEST.formatted(name, 3),
            "apply",
            "--server-side",
            "--force-conflicts",
            "--field-manager=bob",
            "-f",
            "-")
        .expectSuccess();
  }

  @Test
  void getShowsTheDeclaredColumns() {
    apply(7);
    String[] lines = kubectl.run("get", "shipments", name).expectSuccess().output().split("\n");
    assertThat(lines[0].split("\\s+")).containsExactly("NAME", "PHASE", "SOURCE", "READY", "AGE");
    assertThat(lines[1]).startsWith(name).contains("node-a").containsPattern("\\d+s\\s*$");
    assertThat(kubectl.run("get", "shp", name, "-o", "wide").output())
        .contains("STREAMS")
        .contains("7");
    assertThat(kubectl.run("get", "cargo", "-A").expectSuccess().output())
        .contains("NAMESPACE")
        .contains(name);
    assertThat(kubectl.run("get", "shp", name, "-o", "yaml").output())
        .contains("downtimeLimit: 300ms");
    assertThat(kubectl.run("get", "shp", name, "-o", "json").output())
        .contains("\"mode\": \"Live\"");
    assertThat(kubectl.run("get", "shp", "nowhere").errors())
        .contains("Error from server (NotFound): shipments.sandbox.vfio.dev \"nowhere\" not found");
  }

  @Test
  void getFollowsChanges() throws Exception {
    apply(1);
    Path output = home.resolve(name + ".watch");
    Process watch = kubectl.start(output, home.resolve(name + ".errors"), "get", "shp", name, "-w");
    try {
      await().atMost(SOON).until(() -> Files.readString(output).contains(name));
      status("Running", "False");
      await().atMost(SOON).until(() -> Files.readString(output).contains("Running"));
      status("Arrived", "True");
      await().atMost(SOON).until(() -> Files.readString(output).contains("Arrived"));
      assertThat(Files.readString(output).lines().filter(line -> line.startsWith("NAME")))
          .hasSize(1);
    } finally {
      watch.destroy();
      watch.waitFor(60, TimeUnit.SECONDS);
    }
  }

  @Test
  void describeShowsFieldsAndEvents() {
    apply(1);
    String uid = kubectl.run("get", "shp", name, "-o", "jsonpath={.metadata.uid}").output();
    String event =
        """
        apiVersion: v1
        kind: Event
        metadata: {name: %s.1}
        involvedObject: {apiVersion: sandbox.vfio.dev/v1, kind: Shipment, namespace: default, name: %s, uid: %s}
        type: Normal
        reason: Departed
        message: left node-a
        count: 1
        firstTimestamp: "2026-01-01T00:00:00Z"
        lastTimestamp: "2026-01-01T00:00:00Z"
        source: {component: test}
        """
            .formatted(name, name, uid);
    kubectl.feed(event, "create", "-f", "-").expectSuccess();
    assertThat(kubectl.run("describe", "shp", name).expectSuccess().output())
        .contains("Node Name:  node-a")
        .contains("Departed")
        .contains("left node-a");
    assertThat(
            kubectl
                .run("get", "events", "--field-selector", "involvedObject.name=" + name)
                .output())
        .contains("shipment/" + name);
    assertThat(
            kubectl
                .run("get", "events.events.k8s.io", name + ".1", "-o", "yaml")
                .expectSuccess()
                .output())
        .contains("note: left node-a")
        .contains("regarding:");
    if (kubectl.minorVersion() >= 26) {
      assertThat(kubectl.run("events", "--for", "shipment/" + name).expectSuccess().output())
          .contains("Departed");
    }
  }

  @Test
  void patchesOfEveryTypeAreAccepted() {
    apply(1);
    patch("merge", "{\"spec\": {\"streams\": 3, \"note\": \"hi\"}}").expectSuccess();
    patch(
            "json",
            "[{\"op\": \"test\", \"path\": \"/spec/streams\", \"value\": 3},"
                + " {\"op\": \"replace\", \"path\": \"/spec/streams\", \"value\": 4}]")
        .expectSuccess();
    assertThat(
            kubectl.run("get", "shp", name, "-o", "jsonpath={.spec.streams}{.spec.note}").output())
        .isEqualTo("4hi");
    assertThat(
            patch("json", "[{\"op\": \"test\", \"path\": \"/spec/streams\", \"value\": 9}]")
                .exitCode())
        .isNotZero();
    assertThat(patch("strategic", "{\"spec\": {\"streams\": 5}}").errors())
        .contains(
            "in an unknown format - accepted media types include: application/json-patch+json");
    kubectl.run("label", "shp", name, "colour=red").expectSuccess();
    kubectl.run("annotate", "shp", name, "sandbox.vfio.dev/why=test").expectSuccess();
    assertThat(kubectl.run("get", "shp", "-l", "colour=red", "-o", "name").output())
        .isEqualTo("shipment.sandbox.vfio.dev/" + name + "\n");
  }

  @Test
  void deleteWaitsUntilTheObjectIsGone() throws Exception {
    apply(1);
    patch("merge", "{\"metadata\": {\"finalizers\": [\"sandbox.vfio.dev/hold\"]}}").expectSuccess();
    Process delete =
        kubectl.start(
            home.resolve(name + ".out"),
            home.resolve(name + ".err"),
            "delete",
            "shp",
            name,
            "--wait");
    await()
        .atMost(SOON)
        .until(
            () ->
                !kubectl
                    .run("get", "shp", name, "-o", "jsonpath={.metadata.deletionTimestamp}")
                    .output()
                    .isEmpty());
    assertThat(delete.isAlive()).isTrue();
    patch("merge", "{\"metadata\": {\"finalizers\": null}}").expectSuccess();
    assertThat(delete.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(delete.exitValue()).isZero();
  }

  @Test
  void waitSeesConditions() throws Exception {
    apply(1);
    Process wait =
        kubectl.start(
            home.resolve(name + ".out"),
            home.resolve(name + ".err"),
            "wait",
            "--for=condition=Ready",
            "--timeout=30s",
            "shipment/" + name);
    await().atMost(SOON).until(() -> server.watchCount() > 0 || !wait.isAlive());
    status("Arrived", "True");
    assertThat(wait.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(Files.readString(home.resolve(name + ".out"))).contains("condition met");
  }

  @Test
  void explainDescribesFields() {
    assertThat(kubectl.run("explain", "shp.spec").expectSuccess().output())
        .contains("What is to be moved, and how.")
        .contains("convergence")
        .contains("Where it comes from.");
  }

  @Test
  void discoveryNamesTheKinds() {
    assertThat(kubectl.run("api-resources").expectSuccess().output())
        .containsPattern("shipments\\s+shp\\s+sandbox.vfio.dev/v1\\s+true\\s+Shipment")
        .containsPattern("leases\\s+coordination.k8s.io/v1\\s+true\\s+Lease");
    assertThat(kubectl.run("api-versions").expectSuccess().output())
        .contains("sandbox.vfio.dev/v1");
    assertThat(kubectl.run("version", "-o", "json").expectSuccess().output()).contains("sandbox");
    assertThat(kubectl.run("auth", "can-i", "delete", "pods").output()).contains("yes");
  }

  @Test
  void errorsAreExplained() {
    Kubectl.Result unknown =
        kubectl.feed(MANIFEST.formatted(name, 1).replace("streams", "stream"), "apply", "-f", "-");
    assertThat(unknown.exitCode()).isNotZero();
    assertThat(unknown.errors()).contains("unknown field").contains("stream");
    Kubectl.Result same =
        kubectl.feed(MANIFEST.formatted(name, 1).replace("node-b", "node-a"), "apply", "-f", "-");
    assertThat(same.exitCode()).isNotZero();
    assertThat(same.errors()).contains("source and destination must differ");
    Kubectl.Result warned =
        kubectl.feed(
            MANIFEST.formatted(name, 1).replace("streams", "stream"),
            "apply",
            "--validate=false",
            "-f",
            "-");
    warned.expectSuccess();
  }

  @Test
  void builtInKindsAreAppliedCordonedAndLabelled() {
    String pod =
        """
        apiVersion: v1
        kind: Pod
        metadata: {name: %s, labels: {app: agent}}
        spec:
          nodeName: node-a
          containers:
          - {name: agent, image: "agent:1", ports: [{name: control, containerPort: 9443}]}
        """
            .formatted(name);
    kubectl.feed(pod, "apply", "-f", "-").expectSuccess();
    Kubectl.Result again =
        kubectl.feed(pod.replace("agent:1", "agent:2"), "apply", "-f", "-").expectSuccess();
    assertThat(again.output()).contains("configured");
    assertThat(kubectl.run("get", "pods", "-o", "wide").expectSuccess().output())
        .contains("READY")
        .contains("Pending")
        .contains("node-a");
    assertThat(
            kubectl.run("get", "pod", name, "-o", "jsonpath={.spec.containers[*].image}").output())
        .isEqualTo("agent:2");
    kubectl.run("describe", "pod", name).expectSuccess();
    kubectl.run("delete", "pod", name).expectSuccess();
    String node = "apiVersion: v1\nkind: Node\nmetadata: {name: %s}\n".formatted(name);
    kubectl.feed(node, "apply", "-f", "-").expectSuccess();
    assertThat(kubectl.run("get", "nodes").expectSuccess().output()).contains(name);
    kubectl.run("describe", "node", name).expectSuccess();
    kubectl.run("cordon", name).expectSuccess();
    assertThat(kubectl.run("get", "node", name).output()).contains("SchedulingDisabled");
    kubectl.run("uncordon", name).expectSuccess();
    kubectl.run("label", "node", name, "rack=one").expectSuccess();
    assertThat(kubectl.run("get", "nodes", "-l", "rack=one", "-o", "name").output())
        .isEqualTo("node/" + name + "\n");
  }

  private String apply(int streams) {
    return kubectl
        .feed(MANIFEST.formatted(name, streams), "apply", "-f", "-")
        .expectSuccess()
        .output();
  }

  private Kubectl.Result patch(String type, String patch) {
    return kubectl.run("patch", "shp", name, "--type", type, "-p", patch);
  }

  /** Old kubectl has no --subresource, so the status is written through the raw path. */
  private void status(String phase, String ready) {
    String json = kubectl.run("get", "shp", name, "-o", "json").expectSuccess().output();
    String withStatus =
        json.trim().replaceFirst("}\\s*$", "").replaceFirst("(?s),\\s*\"status\": \\{.*$", "")
            + ", \"status\": {\"phase\": \"%s\", \"conditions\": [{\"type\": \"Ready\", \"status\": \"%s\"}]}}"
                .formatted(phase, ready);
    kubectl
        .feed(
            withStatus,
            "replace",
            "--raw",
            "/apis/sandbox.vfio.dev/v1/namespaces/default/shipments/" + name + "/status",
            "-f",
            "-")
        .expectSuccess();
  }
}
