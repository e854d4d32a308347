package dev.vfio.migration.sandbox.apiserver;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The repository's own definitions are served, and its examples are taken. */
class RepositoryDefinitionsTest {
  private static final Path ROOT = Path.of("../..");
  private static final String PODS = "/api/v1/namespaces/default/pods";
  private static final String MIGRATIONS =
      "/apis/migration.vfio.dev/v1alpha1/namespaces/default/devicemigrations";
  private static ApiServer server;
  private static RawClient raw;

  @BeforeAll
  static void start() throws Exception {
    server = new ApiServer(ApiServerOptions.defaults().withDefinitions(ROOT.resolve("crds")));
    raw = new RawClient(server.url());
  }

  @AfterAll
  static void stop() {
    server.close();
  }

  @Test
  void everyExampleIsTakenWithStrictValidation() throws Exception {
    List<Path> examples;
    try (Stream<Path> files = Files.walk(ROOT.resolve("examples"))) {
      examples = files.filter(file -> file.toString().endsWith(".yaml")).sorted().toList();
    }
    assertThat(examples).isNotEmpty();
    for (Path example : examples) {
      try (var documents =
          new YAMLMapper()
              .readerFor(JsonNode.class)
              .<JsonNode>readValues(Files.readString(example))) {
        while (documents.hasNext()) {
          JsonNode object = documents.next();
          String kind = object.path("kind").asText();
          assertThat(kind).as(example.toString()).isIn("DeviceMigration", "Pod");
          String collection = kind.equals("Pod") ? PODS : MIGRATIONS;
          RawClient.Answer answer =
              raw.post(collection + "?fieldValidation=Strict&dryRun=All", Json.text(object));
          assertThat(answer.code()).as(example + ": " + answer.body()).isEqualTo(201);
        }
      }
    }
  }

  @Test
  void theTableShowsBothEndsAndTheProgress() throws Exception {
    RawClient.Answer table =
        raw.get(MIGRATIONS, "Accept", "application/json;as=Table;v=v1;g=meta.k8s.io");
    List<String> names = table.json().path("columnDefinitions").findValuesAsText("name");
    assertThat(names.stream().map(name -> name.toUpperCase(Locale.ROOT)))
        .containsSubsequence(
            "NAME", "PHASE", "SOURCE", "DESTINATION", "DEVICE", "PENDING", "DOWNTIME", "AGE");
  }

  @Test
  void theSameDeviceOnBothEndsIsRefused() throws Exception {
    RawClient.Answer answer =
        raw.send(
            "POST",
            MIGRATIONS,
            Optional.of(
                """
                {"apiVersion": "migration.vfio.dev/v1alpha1", "kind": "DeviceMigration", "metadata": {"name": "same"},
                 "spec": {"source": {"nodeName": "n", "device": "vfio-user:d"},
                          "destination": {"nodeName": "n", "device": "vfio-user:d"}}}
                """),
            "Content-Type",
            "application/json");
    assertThat(answer.code()).as(answer.body()).isEqualTo(422);
  }
}
