package dev.vfio.migration.sandbox.demo;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.dataformat.yaml.YAMLFactory;
import io.fabric8.kubernetes.api.model.GenericKubernetesResource;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.dsl.Resource;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The example migration, with what the demo's options change in it.
 *
 * @param object the whole object
 * @param changed {@code field=value} of every change
 */
record Example(ObjectNode object, List<String> changed) {
  private static final long MEBIBYTE = 1L << 20;

  /** Without a limit a device of ordinary size is copied before anybody sees it. */
  private static final long SLOWEST_RATE = 64 * MEBIBYTE;

  /** Large states are copied faster, so that nobody waits for minutes. */
  private static final int COPY_SECONDS = 4;

  static Example read(Path file, DemoOptions options) throws IOException {
    ObjectNode object = (ObjectNode) new ObjectMapper(new YAMLFactory()).readTree(file.toFile());
    List<String> changed = new ArrayList<>();
    long rate = Math.max(SLOWEST_RATE, options.stateSize() / COPY_SECONDS) / MEBIBYTE;
    String limit = rate + "Mi";
    spec(object, "transfer").put("bandwidthLimit", limit);
    changed.add("transfer.bandwidthLimit=" + limit);
    options
        .downtimeLimit()
        .ifPresent(
            duration -> {
              spec(object, "convergence").put("downtimeLimit", duration);
              changed.add("convergence.downtimeLimit=" + duration);
            });
    return new Example(object, List.copyOf(changed));
  }

  private static ObjectNode spec(ObjectNode object, String section) {
    return ((ObjectNode) object.get("spec")).withObjectProperty(section);
  }

  String changes() {
    return changed.isEmpty() ? "" : " with " + String.join(", ", changed);
  }

  /** Server-side apply. */
  Resource<GenericKubernetesResource> applyTo(KubernetesClient client) {
    GenericKubernetesResource migration =
        new ObjectMapper().convertValue(object, GenericKubernetesResource.class);
    Resource<GenericKubernetesResource> resource = client.resource(migration);
    resource.fieldManager("demo").serverSideApply();
    return resource;
  }
}
