package dev.vfio.migration.operator.chart;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Helm wants the CRD inside the chart; its source is the folder {@code crds}. */
class ChartDefinitionsTest {

  @Test
  void theChartHoldsTheDefinitionsOfTheRepositoryByteByByte() throws IOException {
    Map<String, String> source = filesIn(Chart.repository().resolve("crds"));
    Map<String, String> copy = filesIn(Chart.directory().resolve("crds"));

    assertThat(source).isNotEmpty();
    assertThat(copy)
        .as(
            "the chart's copy is out of date: rm helm/vfio-migration/crds/* && cp crds/*"
                + " helm/vfio-migration/crds/")
        .isEqualTo(source);
  }

  @Test
  void theDefinitionsAreThoseThatTheRolesAreAbout() throws IOException {
    assertThat(filesIn(Chart.directory().resolve("crds")).values())
        .map(text -> Serialization.unmarshal(text, CustomResourceDefinition.class))
        .allSatisfy(
            definition -> {
              assertThat(definition.getSpec().getGroup()).isEqualTo("migration.vfio.dev");
              assertThat(definition.getSpec().getVersions())
                  .allSatisfy(
                      version -> assertThat(version.getSubresources().getStatus()).isNotNull());
            })
        .extracting(definition -> definition.getSpec().getNames().getPlural())
        .containsExactly("devicemigrations", "vfionodes");
  }

  private static Map<String, String> filesIn(Path directory) throws IOException {
    Map<String, String> files = new TreeMap<>();
    try (Stream<Path> paths = Files.list(directory)) {
      for (Path path : (Iterable<Path>) paths::iterator) {
        files.put(path.getFileName().toString(), Files.readString(path, StandardCharsets.UTF_8));
      }
    }
    return files;
  }
}
