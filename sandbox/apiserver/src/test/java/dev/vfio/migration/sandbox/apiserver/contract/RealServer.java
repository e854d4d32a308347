package dev.vfio.migration.sandbox.apiserver.contract;

import io.fabric8.kubeapitest.KubeAPIServer;
import io.fabric8.kubeapitest.KubeAPIServerConfigBuilder;
import io.fabric8.kubernetes.client.Config;
import io.fabric8.kubernetes.client.ConfigBuilder;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * A real kube-apiserver for a test class: the one of the kubeconfig named by {@code
 * -Dcontract.kubeconfig}, else one started from the binaries in {@code KUBE_API_TEST_DIR} or {@code
 * ~/.kubeapitest}. Where there is neither, the class is skipped and says so.
 */
final class RealServer implements ExecutionCondition, BeforeAllCallback, AfterAllCallback {
  private Optional<KubeAPIServer> started = Optional.empty();
  private KubernetesClient client;

  /** The test class and the nested one that runs: each of them calls the callbacks. */
  private int users;

  @Override
  public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
    if (namedKubeconfig().isPresent() || version().isPresent()) {
      return ConditionEvaluationResult.enabled("there is a kube-apiserver");
    }
    return ConditionEvaluationResult.disabled(
        "skipped: there is no real kube-apiserver (put its binaries and etcd into %s/k8s/VERSION-%s, or name a test cluster with -Dcontract.kubeconfig=FILE)"
            .formatted(directory(), platform()));
  }

  @Override
  public void beforeAll(ExtensionContext context) throws IOException {
    if (users++ > 0) {
      return;
    }
    String kubeconfig;
    if (namedKubeconfig().isPresent()) {
      kubeconfig = Files.readString(namedKubeconfig().get());
    } else {
      KubeAPIServer server =
          new KubeAPIServer(
              KubeAPIServerConfigBuilder.anAPIServerConfig()
                  .withTestDir(directory().toString())
                  .withApiServerVersion(version().orElseThrow())
                  .withOfflineMode(true)
                  .withUpdateKubeConfig(false)
                  .build());
      server.start();
      started = Optional.of(server);
      kubeconfig = server.getKubeConfigYaml();
    }
    Config config =
        new ConfigBuilder(Config.fromKubeconfig(kubeconfig))
            .withRequestRetryBackoffLimit(0)
            .build();
    client = new KubernetesClientBuilder().withConfig(config).build();
  }

  @Override
  public void afterAll(ExtensionContext context) {
    if (--users > 0) {
      return;
    }
    if (client != null) {
      client.close();
    }
    started.ifPresent(KubeAPIServer::stop);
  }

  KubernetesClient client() {
    return client;
  }

  private static Optional<Path> namedKubeconfig() {
    return Optional.of(System.getProperty("contract.kubeconfig", ""))
        .filter(name -> !name.isEmpty())
        .map(Path::of);
  }

  private static Path directory() {
    String named = System.getenv().getOrDefault("KUBE_API_TEST_DIR", "");
    return named.isEmpty()
        ? Path.of(System.getProperty("user.home"), ".kubeapitest")
        : Path.of(named);
  }

  private static String platform() {
    String machine = System.getProperty("os.arch").equals("aarch64") ? "arm64" : "amd64";
    return "linux-" + machine;
  }

  /** The newest version whose binaries are all there. */
  private static Optional<String> version() {
    Path versions = directory().resolve("k8s");
    if (!Files.isDirectory(versions)) {
      return Optional.empty();
    }
    String suffix = "-" + platform();
    try (Stream<Path> candidates = Files.list(versions)) {
      return candidates
          .filter(candidate -> candidate.getFileName().toString().endsWith(suffix))
          .filter(
              candidate ->
                  Files.isExecutable(candidate.resolve("kube-apiserver"))
                      && Files.isExecutable(candidate.resolve("etcd")))
          .map(candidate -> candidate.getFileName().toString().replace(suffix, ""))
          .max(Comparator.naturalOrder());
    } catch (IOException e) {
      throw new UncheckedIOException(versions + " cannot be read", e);
    }
  }
}
