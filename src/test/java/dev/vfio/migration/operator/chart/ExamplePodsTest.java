package dev.vfio.migration.operator.chart;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.introspect.Annotated;
import com.fasterxml.jackson.databind.introspect.JacksonAnnotationIntrospector;
import com.fasterxml.jackson.dataformat.yaml.YAMLMapper;
import io.fabric8.kubernetes.api.model.Container;
import io.fabric8.kubernetes.api.model.HostPathVolumeSource;
import io.fabric8.kubernetes.api.model.Pod;
import io.fabric8.kubernetes.api.model.Volume;
import io.fabric8.kubernetes.api.model.VolumeMount;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The pods that users copy are pods, and mount what the agent of the chart's values looks at. */
class ExamplePodsTest {
  private static final Path ROOT = Path.of("..");
  private static final String KERNEL = "kernel-device.yaml";
  private static final String USER = "vfio-user-device.yaml";

  /** Unknown fields of Fabric8's types are not taken as additional ones, but as mistakes. */
  private static final YAMLMapper STRICT =
      YAMLMapper.builder()
          .enable(DeserializationFeature.FAIL_ON_UNKNOWN_PROPERTIES)
          .annotationIntrospector(
              new JacksonAnnotationIntrospector() {
                private static final long serialVersionUID = 1L;

                @Override
                public Boolean hasAnySetter(Annotated member) {
                  return false;
                }
              })
          .build();

  private static String text(String name) throws IOException {
    return Files.readString(ROOT.resolve("examples/workloads").resolve(name));
  }

  private static Pod pod(String name) throws IOException {
    return STRICT.readValue(text(name), Pod.class);
  }

  private static HostPathVolumeSource mounted(Pod pod) {
    List<Volume> volumes = pod.getSpec().getVolumes();
    assertThat(volumes).hasSize(1);
    for (Container container : pod.getSpec().getContainers()) {
      assertThat(container.getVolumeMounts())
          .extracting(VolumeMount::getName)
          .containsExactly(volumes.get(0).getName());
      assertThat(container.getVolumeMounts())
          .extracting(VolumeMount::getMountPath)
          .as("Kubernetes allows no colon there")
          .allSatisfy(path -> assertThat(path).startsWith("/").doesNotContain(":"));
    }
    return volumes.get(0).getHostPath();
  }

  private static JsonNode agentValues() throws IOException {
    return new YAMLMapper()
        .readTree(Files.readString(ROOT.resolve("helm/vfio-migration/values.yaml")))
        .path("agent");
  }

  @ParameterizedTest
  @ValueSource(strings = {KERNEL, USER})
  void aPodIsOneThatAnApiServerTakesAndThatIsNotStartedAnew(String name) throws IOException {
    Pod pod = pod(name);
    assertThat(pod.getKind()).isEqualTo("Pod");
    assertThat(pod.getApiVersion()).isEqualTo("v1");
    assertThat(pod.getSpec().getRestartPolicy()).isEqualTo("Never");
    assertThat(pod.getSpec().getContainers()).isNotEmpty();
  }

  @Test
  void aMistakeInTheNameOfAFieldIsFound() throws IOException {
    String text = text(KERNEL).replace("hostPath:", "hostpath:");
    assertThatThrownBy(() -> STRICT.readValue(text, Pod.class)).hasMessageContaining("hostpath");
  }

  @Test
  void theKernelDevicesFolderIsTheAgentsAndMayBeMadeByTheKubelet() throws IOException {
    HostPathVolumeSource folder = mounted(pod(KERNEL));
    assertThat(Path.of(folder.getPath()).getParent().toString())
        .isEqualTo(agentValues().path("kernelDevices").path("handoverDirectory").asText());
    assertThat(folder.getType()).isEqualTo("DirectoryOrCreate");
  }

  /** One that the kubelet made would be root's, and not the device's user's. */
  @Test
  void theFolderOfAVfioUserDeviceIsThereBefore() throws IOException {
    Pod pod = pod(USER);
    HostPathVolumeSource folder = mounted(pod);
    assertThat(Path.of(folder.getPath()).getParent().toString())
        .isEqualTo(agentValues().path("vfioUserDirectory").asText());
    assertThat(folder.getType()).isEqualTo("Directory");
    assertThat(pod.getSpec().getContainers())
        .extracting(Container::getSecurityContext)
        .as("one user for both")
        .containsOnlyNulls();
  }

  @Test
  void theDocumentsPointToThem() throws IOException {
    assertThat(Files.readString(ROOT.resolve("docs/workload-transfer.md")))
        .contains("../examples/workloads/" + KERNEL, "SOCK_STREAM", "sandbox/lab/workload");
    assertThat(Files.readString(ROOT.resolve("docs/workload.md")))
        .contains("../examples/workloads/" + USER, "SOCK_STREAM");
  }
}
