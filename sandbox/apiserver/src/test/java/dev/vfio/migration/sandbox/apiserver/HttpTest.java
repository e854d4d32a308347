package dev.vfio.migration.sandbox.apiserver;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** What is on the wire: codes, media types, Status bodies, tables, discovery. */
class HttpTest {
  private static final String SHIPMENTS = "/apis/sandbox.vfio.dev/v1/namespaces/default/shipments";
  private static final String CONFIG_MAPS = "/api/v1/namespaces/default/configmaps";
  private static ApiServer server;
  private static RawClient raw;

  @BeforeAll
  static void start() throws Exception {
    server =
        new ApiServer(
            ApiServerOptions.defaults().withDefinitions(Path.of("src/test/resources/definitions")));
    raw = new RawClient(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void onlyLoopbackAddressesAreServed() throws Exception {
    InetAddress everywhere = InetAddress.getByName("0.0.0.0");
    assertThatThrownBy(() -> new ApiServer(ApiServerOptions.defaults().listeningOn(everywhere, 0)))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("refusing to listen on 0.0.0.0")
        .hasMessageContaining("loopback");
  }

  @Test
  void otherHostNamesAreRefused() throws Exception {
    String answer =
        raw.exchange("GET /version HTTP/1.1\r\nHost: evil.example:80\r\nConnection: close\r\n\r\n");
    assertThat(answer).startsWith("HTTP/1.1 403").contains("loopback");
  }

  @Test
  void aWebSocketUpgradeIsAnsweredByAnEmpty200() throws Exception {
    String answer =
        raw.exchange(
            "GET /api/v1/namespaces/default/pods?watch=true HTTP/1.1\r\n"
                + "Host: localhost\r\n"
                + "Connection: Upgrade\r\n"
                + "Upgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\n"
                + "Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n");
    assertThat(answer)
        .startsWith("HTTP/1.1 200")
        .contains("content-length: 0")
        .endsWith("\r\n\r\n");
  }

  @Test
  void errorsAreStatusObjects() throws Exception {
    JsonNode missing = status(raw.get(SHIPMENTS + "/nowhere"), 404, "NotFound");
    assertThat(missing.path("message").asText())
        .isEqualTo("shipments.sandbox.vfio.dev \"nowhere\" not found");
    assertThat(missing.path("details").path("group").asText()).isEqualTo("sandbox.vfio.dev");
    status(raw.get("/apis/nowhere.example/v1/things"), 404, "NotFound");
    status(raw.get("/nowhere"), 404, "NotFound");
    status(raw.send("PUT", CONFIG_MAPS, Optional.of("{}")), 405, "MethodNotAllowed");
    status(
        raw.get(CONFIG_MAPS, "Accept", "application/vnd.kubernetes.protobuf"),
        406,
        "NotAcceptable");
    status(raw.post(CONFIG_MAPS, "{\"kind\": "), 400, "BadRequest");
    status(
        raw.post(CONFIG_MAPS, "{\"kind\": \"Secret\", \"apiVersion\": \"v1\"}"), 400, "BadRequest");
    status(raw.post(CONFIG_MAPS, configMap("X")), 422, "Invalid");
    status(raw.get(CONFIG_MAPS + "?limit=many"), 400, "BadRequest");
    status(raw.get(CONFIG_MAPS + "?labelSelector=%21%21"), 400, "BadRequest");
    status(raw.get(CONFIG_MAPS + "?continue=bm90aGluZw"), 410, "Expired");
    status(raw.get(CONFIG_MAPS + "?resourceVersion=1&resourceVersionMatch=Exact"), 410, "Expired");
    status(raw.post(CONFIG_MAPS + "?dryRun=Some", configMap("x")), 422, "Invalid");
  }

  @Test
  void protobufBodiesAreRefusedWithAnExplanation() throws Exception {
    RawClient.Answer answer =
        raw.send(
            "POST",
            "/api/v1/namespaces",
            Optional.of("k8s"),
            "Content-Type",
            "application/vnd.kubernetes.protobuf");
    JsonNode status = status(answer, 415, "UnsupportedMediaType");
    assertThat(status.path("message").asText()).contains("protobuf").contains("kubectl apply -f");
  }

  @Test
  void bodiesOverTheLimitAreRefused() throws Exception {
    String large =
        configMap("large").replace("\"value\"", "\"" + "x".repeat(3 * 1024 * 1024) + "\"");
    status(raw.post(CONFIG_MAPS, large), 413, "RequestEntityTooLarge");
  }

  @Test
  void whatIsNotHttpIsRefusedWithAStatus() throws Exception {
    assertThat(raw.exchange("GET / HTTP/1.1\r\nHost: localhost\r\nbad header\r\n\r\n"))
        .startsWith("HTTP/1.1 400")
        .contains("not an HTTP request");
    assertThat(
            raw.exchange(
                "GET / HTTP/1.1\r\nHost: localhost\r\nX: " + "x".repeat(70_000) + "\r\n\r\n"))
        .startsWith("HTTP/1.1 400");
    assertThat(raw.exchange("GET /%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"))
        .startsWith("HTTP/1.1 400")
        .contains("not a valid URL");
  }

  @Test
  void aConnectionServesManyRequests() throws Exception {
    String request = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    String last = "GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    String answers = raw.exchangeAll(request + request + last);
    assertThat(answers.split("HTTP/1.1 200", -1)).hasSize(4);
    assertThat(answers).contains("gitVersion");
  }

  @Test
  void yamlBodiesAreAccepted() throws Exception {
    RawClient.Answer answer =
        raw.send(
            "POST",
            CONFIG_MAPS,
            Optional.of(
                "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: from-yaml}\ndata: {a: b}\n"),
            "Content-Type",
            "application/yaml");
    assertThat(answer.code()).isEqualTo(201);
    assertThat(Json.textAt(answer.json(), "data", "a")).isEqualTo("b");
  }

  @Test
  void aDryRunStoresNothing() throws Exception {
    assertThat(raw.post(CONFIG_MAPS + "?dryRun=All", configMap("dry")).code()).isEqualTo(201);
    assertThat(raw.get(CONFIG_MAPS + "/dry").code()).isEqualTo(404);
    raw.post(CONFIG_MAPS, configMap("dry"));
    raw.send("DELETE", CONFIG_MAPS + "/dry?dryRun=All", Optional.empty());
    assertThat(raw.get(CONFIG_MAPS + "/dry").code()).isEqualTo(200);
  }

  @Test
  void errorsInFieldsAreRefusedWarnedOfOrIgnoredAsTheClientWants() throws Exception {
    String body =
        """
        {"apiVersion": "sandbox.vfio.dev/v1", "kind": "Shipment", "metadata": {"name": "strict"},
         "spec": {"source": {"nodeName": "a", "nodeNam": "x"}, "destination": {"nodeName": "b"}, "streams": 1, "streams": 2}}
        """;
    JsonNode strict =
        status(raw.post(SHIPMENTS + "?fieldValidation=Strict&dryRun=All", body), 400, "BadRequest");
    assertThat(strict.path("message").asText())
        .isEqualTo(
            "Shipment in version \"v1\" cannot be handled as a Shipment: strict decoding error:"
                + " duplicate field \"spec.streams\", unknown field \"spec.source.nodeNam\"");
    RawClient.Answer warned = raw.post(SHIPMENTS + "?dryRun=All", body);
    assertThat(warned.code()).isEqualTo(201);
    assertThat(warned.response().headers().allValues("Warning"))
        .containsExactly(
            "299 - \"duplicate field \\\"spec.streams\\\"\"",
            "299 - \"unknown field \\\"spec.source.nodeNam\\\"\"");
    RawClient.Answer ignored = raw.post(SHIPMENTS + "?fieldValidation=Ignore&dryRun=All", body);
    assertThat(ignored.response().headers().allValues("Warning")).isEmpty();
    status(raw.post(SHIPMENTS + "?fieldValidation=Loose", body), 422, "Invalid");
  }

  @Test
  void listsAreTablesIfTheClientWants() throws Exception {
    raw.post(CONFIG_MAPS, configMap("tabled"));
    JsonNode table =
        raw.get(
                CONFIG_MAPS + "?fieldSelector=metadata.name%3Dtabled",
                "Accept",
                "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")
            .json();
    assertThat(table.path("kind").asText()).isEqualTo("Table");
    assertThat(table.path("columnDefinitions").findValuesAsText("name"))
        .containsExactly("Name", "Age");
    JsonNode row = table.path("rows").get(0);
    assertThat(row.path("cells").get(0).asText()).isEqualTo("tabled");
    assertThat(row.path("cells").get(1).asText()).endsWith("s");
    assertThat(row.path("object").path("kind").asText()).isEqualTo("PartialObjectMetadata");
    JsonNode whole =
        raw.get(
                CONFIG_MAPS + "?includeObject=Object",
                "Accept",
                "application/json;as=Table;v=v1;g=meta.k8s.io")
            .json();
    assertThat(whole.path("rows").get(0).path("object").path("kind").asText())
        .isEqualTo("ConfigMap");
    // The server does not have the first form: the client gets its second choice.
    JsonNode plain =
        raw.get(
                CONFIG_MAPS,
                "Accept",
                "application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json")
            .json();
    assertThat(plain.path("kind").asText()).isEqualTo("ConfigMapList");
  }

  @Test
  void discoveryListsGroupsAndKindsOneByOne() throws Exception {
    JsonNode resources = raw.get("/apis/sandbox.vfio.dev/v1").json();
    assertThat(resources.path("resources").findValuesAsText("name"))
        .containsExactly("shipments", "shipments/status");
    assertThat(raw.get("/apis").json().path("groups").findValuesAsText("name"))
        .contains("sandbox.vfio.dev", "apps");
    // Clients that ask for all at once take this for a server that cannot, and ask one by one.
    JsonNode all =
        raw.get(
                "/apis",
                "Accept",
                "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json")
            .json();
    assertThat(all.path("kind").asText()).isEqualTo("APIGroupList");
    assertThat(raw.get("/openapi/v3").json().path("paths").has("apis/sandbox.vfio.dev/v1"))
        .isTrue();
    assertThat(raw.get("/readyz").body()).isEqualTo("ok");
  }

  @Test
  void bothEventGroupsShowOneCollection() throws Exception {
    String event =
        """
        {"apiVersion": "events.k8s.io/v1", "kind": "Event", "metadata": {"name": "seen"}, "eventTime": "2026-01-01T00:00:00Z",
         "regarding": {"kind": "Shipment", "name": "x", "namespace": "default"}, "note": "hello", "reason": "Seen",
         "type": "Normal", "action": "Look", "reportingController": "test", "reportingInstance": "test-1"}
        """;
    assertThat(raw.post("/apis/events.k8s.io/v1/namespaces/default/events", event).code())
        .isEqualTo(201);
    JsonNode core =
        raw.get("/api/v1/namespaces/default/events?fieldSelector=involvedObject.name%3Dx").json();
    JsonNode item = core.path("items").get(0);
    assertThat(item.path("apiVersion").asText()).isEqualTo("v1");
    assertThat(item.path("message").asText()).isEqualTo("hello");
    assertThat(item.path("involvedObject").path("kind").asText()).isEqualTo("Shipment");
    assertThat(item.has("note")).isFalse();
  }

  @Test
  void writesAreLoggedWithTheirWriters() throws Exception {
    server.requestLog().clear();
    raw.post(CONFIG_MAPS + "?fieldManager=somebody", configMap("logged"));
    raw.send("DELETE", CONFIG_MAPS + "/unlogged", Optional.empty());
    assertThat(server.requestLog().entries("configmaps"))
        .extracting(e -> e.method() + " " + e.name() + " " + e.manager() + " " + e.code())
        .containsExactly("POST  somebody 201", "DELETE unlogged Java-http-client 404");
  }

  private static JsonNode status(RawClient.Answer answer, int code, String reason) {
    assertThat(answer.code()).as(answer.body()).isEqualTo(code);
    JsonNode status = answer.json();
    assertThat(status.path("kind").asText()).isEqualTo("Status");
    assertThat(status.path("status").asText()).isEqualTo("Failure");
    assertThat(status.path("code").asInt()).isEqualTo(code);
    assertThat(status.path("reason").asText()).isEqualTo(reason);
    assertThat(status.path("message").asText()).isNotBlank();
    return status;
  }

  private static String configMap(String name) {
    return """
    {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "%s"}, "data": {"key": "value"}}
    """
        .formatted(name);
  }
}
