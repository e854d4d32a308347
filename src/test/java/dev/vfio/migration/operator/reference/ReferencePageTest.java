package dev.vfio.migration.operator.reference;

import static org.assertj.core.api.Assertions.assertThat;

import io.fabric8.kubernetes.api.model.apiextensions.v1.CustomResourceDefinition;
import io.fabric8.kubernetes.client.utils.Serialization;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** {@code docs/reference.md} is what types, enums and settings say. */
class ReferencePageTest {
  private static final Path ROOT = Path.of("..");
  private static final Path PAGE = ROOT.resolve("docs/reference.md");
  private static final String MENDS_IT =
      "mvn -pl src -am test -Dtest=ReferencePageTest -Dsurefire.failIfNoSpecifiedTests=false"
          + " -Dreference.write";

  @Test
  void committedPageIsWhatTypesEnumsAndSettingsSay() throws IOException {
    String generated = generated();
    if (System.getProperty("reference.write") != null) {
      Files.writeString(PAGE, generated);
    }
    String committed = Files.exists(PAGE) ? Files.readString(PAGE) : "";
    assertThat(difference(committed.lines().toList(), generated.lines().toList()))
        .as("docs/reference.md is out of date; this mends it: %s", MENDS_IT)
        .isEmpty();
    assertThat(committed).as("this mends docs/reference.md: %s", MENDS_IT).isEqualTo(generated);
  }

  private static List<String> difference(List<String> committed, List<String> generated) {
    return Stream.concat(
            committed.stream().filter(line -> !generated.contains(line)).map(line -> "- " + line),
            generated.stream().filter(line -> !committed.contains(line)).map(line -> "+ " + line))
        .toList();
  }

  private static String generated() throws IOException {
    ReferencePage page = new ReferencePage();
    page.kind(definition("devicemigrations.migration.vfio.dev-v1.yml"));
    page.status();
    page.kind(definition("vfionodes.migration.vfio.dev-v1.yml"));
    page.settings();
    page.settings("Operator", settings(Path.of("main/java"), "OperatorConfig.java"));
    page.settings(
        "Node agent", settings(ROOT.resolve("node-agent/agent/src/main/java"), "AgentConfig.java"));
    return page.text();
  }

  private static CustomResourceDefinition definition(String file) throws IOException {
    return Serialization.unmarshal(
        Files.readString(ROOT.resolve("crds").resolve(file)), CustomResourceDefinition.class);
  }

  private static List<SettingsSource.Setting> settings(Path sources, String name)
      throws IOException {
    try (Stream<Path> files = Files.walk(sources)) {
      return SettingsSource.read(files.filter(file -> file.endsWith(name)).findAny().orElseThrow());
    }
  }
}
