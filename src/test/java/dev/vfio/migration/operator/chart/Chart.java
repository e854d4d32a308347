package dev.vfio.migration.operator.chart;

import com.marcnuri.helm.Helm;
import com.marcnuri.helm.TemplateCommand;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;

/**
 * The chart in this repository, and how it is rendered in tests: by Helm itself, with no cluster.
 */
final class Chart {

  /** Newer than the oldest Kubernetes version that the chart accepts. */
  private static final String KUBERNETES_VERSION = "1.31.0";

  static final String NAMESPACE = "vfio-migration";
  static final String RELEASE = "vfio-migration";

  /** Values without which a job makes the certificates. */
  private static final String GIVEN_CERTIFICATES =
      "tls: {operatorSecret: operator-certificate, agentSecret: agent-certificate}\n";

  private static final String GENERATED_CERTIFICATES =
      "tls: {operatorSecret: '', agentSecret: ''}\n";

  private Chart() {}

  /** The root of the repository, wherever in it the build was started. */
  static Path repository() {
    Path directory = Path.of("").toAbsolutePath();
    while (directory != null && !Files.isDirectory(directory.resolve("helm/vfio-migration"))) {
      directory = directory.getParent();
    }
    if (directory == null) {
      throw new IllegalStateException(
          "no helm/vfio-migration in or above " + Path.of("").toAbsolutePath());
    }
    return directory;
  }

  static Path directory() {
    return repository().resolve("helm/vfio-migration");
  }

  /**
   * What the chart renders with certificates given.
   *
   * @param values a YAML document laid over the defaults and the given certificates
   */
  static RenderedObjects render(String values) {
    return RenderedObjects.parse(template(GIVEN_CERTIFICATES, values));
  }

  /** The same with certificates made by the job. */
  static RenderedObjects renderWithJob(String values) {
    return RenderedObjects.parse(template(GENERATED_CERTIFICATES, values));
  }

  /**
   * The YAML that Helm makes of the chart and keeps in its Secrets, hooks included; later documents
   * win over earlier ones.
   *
   * @throws IllegalStateException with Helm's message if Helm refuses
   */
  static String template(String... valueDocuments) {
    return templateAs(RELEASE, NAMESPACE, valueDocuments);
  }

  /** The same for a release of another name, or in another namespace. */
  static String templateAs(String release, String namespace, String... valueDocuments) {
    try {
      TemplateCommand command =
          new Helm(WithHooks.COPY)
              .template()
              .withName(release)
              .withNamespace(namespace)
              .withKubeVersion(KUBERNETES_VERSION);
      Path folder = Files.createTempDirectory("chart-values");
      try {
        for (int index = 0; index < valueDocuments.length; index++) {
          Path file = folder.resolve(index + ".yaml");
          Files.writeString(file, valueDocuments[index]);
          command.withValuesFile(file);
        }
        return command.call().replace(WithHooks.MARK, WithHooks.HOOK);
      } finally {
        for (int index = 0; index < valueDocuments.length; index++) {
          Files.deleteIfExists(folder.resolve(index + ".yaml"));
        }
        Files.delete(folder);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * A copy of the chart. Helm's library leaves hooks out of what it returns, so here their
   * annotation has another name while Helm is at work.
   */
  private static final class WithHooks {
    static final String HOOK = "helm.sh/hook";
    static final String MARK = "test.example/hook";
    static final Path COPY = copy();

    private static Path copy() {
      try (Stream<Path> files = Files.walk(directory())) {
        Path root = Files.createTempDirectory("chart");
        Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(root)));
        for (Path file : files.filter(Files::isRegularFile).toList()) {
          Path target = root.resolve(directory().relativize(file).toString());
          Files.createDirectories(target.getParent());
          Files.writeString(target, Files.readString(file).replace(HOOK, MARK));
        }
        return root;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    private static void delete(Path root) {
      try (Stream<Path> files = Files.walk(root)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }
}
