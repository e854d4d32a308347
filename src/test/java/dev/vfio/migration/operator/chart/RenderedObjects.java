package dev.vfio.migration.operator.chart;

import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.EnvVar;
import io.fabric8.kubernetes.api.model.HasMetadata;
import io.fabric8.kubernetes.api.model.PodSpec;
import io.fabric8.kubernetes.api.model.apps.DaemonSet;
import io.fabric8.kubernetes.api.model.apps.Deployment;
import io.fabric8.kubernetes.api.model.batch.v1.Job;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The Kubernetes objects that a chart rendered. */
record RenderedObjects(List<HasMetadata> objects) {

  private static final Pattern DOCUMENT_MARK = Pattern.compile("(?m)^---\\s*$");

  static RenderedObjects parse(String yaml) {
    return new RenderedObjects(
        Arrays.stream(DOCUMENT_MARK.split(yaml))
            .filter(document -> document.contains("kind:"))
            .map(document -> Serialization.<HasMetadata>unmarshal(document))
            .toList());
  }

  <T extends HasMetadata> List<T> all(Class<T> kind) {
    return objects.stream().filter(kind::isInstance).map(kind::cast).toList();
  }

  <T extends HasMetadata> T named(Class<T> kind, String name) {
    List<T> found =
        all(kind).stream().filter(object -> name.equals(object.getMetadata().getName())).toList();
    if (found.size() != 1) {
      throw new AssertionError(
          "expected one %s named %s, found %d among %s"
              .formatted(kind.getSimpleName(), name, found.size(), names()));
    }
    return found.get(0);
  }

  PodSpec operatorPod() {
    return named(Deployment.class, "vfio-migration-operator").getSpec().getTemplate().getSpec();
  }

  PodSpec agentPod() {
    return named(DaemonSet.class, "vfio-migration-agent").getSpec().getTemplate().getSpec();
  }

  PodSpec certificatesPod() {
    return named(Job.class, "vfio-migration-certificates").getSpec().getTemplate().getSpec();
  }

  static Container onlyContainer(PodSpec pod) {
    if (pod.getContainers().size() != 1) {
      throw new AssertionError("expected one container: " + pod.getContainers());
    }
    return pod.getContainers().get(0);
  }

  static Map<String, EnvVar> environment(PodSpec pod) {
    return onlyContainer(pod).getEnv().stream()
        .collect(Collectors.toMap(EnvVar::getName, variable -> variable));
  }

  private List<String> names() {
    return objects.stream()
        .map(object -> object.getKind() + "/" + object.getMetadata().getName())
        .toList();
  }
}
