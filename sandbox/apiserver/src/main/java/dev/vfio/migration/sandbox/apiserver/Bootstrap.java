package dev.vfio.migration.sandbox.apiserver;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectReader;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import dev.vfio.migration.sandbox.apiserver.http.Answer;
import dev.vfio.migration.sandbox.apiserver.http.ApiRequest;
import dev.vfio.migration.sandbox.apiserver.http.Reply;
import dev.vfio.migration.sandbox.apiserver.json.Json;
import dev.vfio.migration.sandbox.apiserver.request.ApiHandler;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** Stores the objects that exist before the first client connects. Used by one thread. */
final class Bootstrap {
  private static final List<String> NAMESPACES =
      List.of("default", "kube-system", "vfio-migration");

  private final ApiHandler handler;

  Bootstrap(ApiHandler handler) {
    this.handler = handler;
  }

  void createNamespaces() {
    for (String namespace : NAMESPACES) {
      ObjectNode object = Json.object().put("apiVersion", "v1").put("kind", "Namespace");
      Json.metadata(object).put("name", namespace);
      apply("/api/v1/namespaces/" + namespace, object);
    }
  }

  /**
   * Creates the CustomResourceDefinitions of a directory, or brings those that were kept over a
   * restart up to date.
   *
   * @throws IllegalArgumentException naming the file and the reason if one is refused
   */
  void applyDefinitions(Path directory) throws IOException {
    List<Path> files;
    try (Stream<Path> entries = Files.list(directory)) {
      files =
          entries.filter(file -> file.toString().matches(".*\\.(ya?ml|json)")).sorted().toList();
    }
    ObjectReader reader = new YAMLMapper().readerFor(JsonNode.class);
    for (Path file : files) {
      try (var documents = reader.<JsonNode>readValues(Files.readString(file))) {
        while (documents.hasNext()) {
          if (documents.next() instanceof ObjectNode definition) {
            applyDefinition(file, definition);
          }
        }
      }
    }
  }

  private void applyDefinition(Path file, ObjectNode definition) {
    String name = Json.textAt(definition, "metadata", "name");
    try {
      apply("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/" + name, definition);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + ": " + e.getMessage(), e);
    }
  }

  private void apply(String path, ObjectNode object) {
    Answer answer =
        handler.apply(
            new ApiRequest(
                "PATCH",
                path,
                Map.of("fieldManager", List.of("kube-apiserver"), "force", List.of("true")),
                Map.of("content-type", "application/apply-patch+yaml"),
                Json.bytes(object)));
    if (answer instanceof Reply reply && reply.code() > 201) {
      JsonNode status = Json.parse(new String(reply.body(), StandardCharsets.UTF_8));
      throw new IllegalArgumentException(Json.textAt(status, "message"));
    }
  }
}
