package dev.vfio.migration.sandbox.cluster.whole;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.sandbox.cluster.JavaCommand;
import dev.vfio.migration.sandbox.cluster.Repository;
import dev.vfio.migration.sandbox.cluster.SandboxCluster;
import dev.vfio.migration.sandbox.cluster.SandboxNode;
import io.fabric8.kubernetes.api.model.Secret;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** The job of the chart: the operator's jar with one argument, against an API server. */
@ExtendWith(WholeSystem.class)
@Timeout(600)
class CertificatesJobTest {
  private static final String NAMESPACE = "vfio-migration";
  private static final List<String> SECRETS = List.of("ca", "operator-tls", "agent-tls");

  @TempDir private Path folder;

  @Test
  void whatItMakesServesAMigrationAndIsKeptByTheNextRun(TestCluster cluster) throws Exception {
    assertThat(job(cluster, "365")).contains("operator-tls: made").doesNotContain("PRIVATE");
    List<Secret> made = SECRETS.stream().map(name -> secret(cluster, name)).toList();
    assertThat(job(cluster, "365")).contains("ca: kept", "operator-tls: kept", "agent-tls: kept");
    assertThat(SECRETS.stream().map(name -> secret(cluster, name)).toList()).isEqualTo(made);

    Map<String, Path> mounts =
        Map.of(
            "operator-tls", cluster.cluster().kubeconfig().resolveSibling("tls/operator"),
            "agent-tls", cluster.cluster().node(SandboxCluster.SOURCE_NODE).tls());
    assertThat(mounts.values()).allMatch(Files::isDirectory);
    SandboxNode destination = cluster.cluster().node(SandboxCluster.DESTINATION_NODE);
    try (Scenario scenario = cluster.scenario("job").startDevices()) {
      mount(secret(cluster, "operator-tls"), mounts.get("operator-tls"));
      mount(secret(cluster, "agent-tls"), mounts.get("agent-tls"));
      mount(secret(cluster, "agent-tls"), destination.tls());
      renew(cluster);
      scenario.apply().succeeded();
    } finally {
      cluster.cluster().authority().operator().writeTo(mounts.get("operator-tls"));
      for (String node : List.of(SandboxCluster.SOURCE_NODE, SandboxCluster.DESTINATION_NODE)) {
        cluster.cluster().authority().agent(node).writeTo(cluster.cluster().node(node).tls());
      }
      renew(cluster);
    }
  }

  @Test
  void aRequestThatIsWrongEndsItWithTheReason(TestCluster cluster) throws Exception {
    Process process = start(cluster, "soon");
    assertThat(process.waitFor(180, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(1);
    assertThat(Files.readString(folder.resolve("output")))
        .contains("ERROR CERTIFICATES_VALIDITY_DAYS must be a number above 1, not soon");
  }

  private static void renew(TestCluster cluster) throws Exception {
    for (String node : List.of(SandboxCluster.SOURCE_NODE, SandboxCluster.DESTINATION_NODE)) {
      cluster.renewAgent(node);
    }
    cluster.killOperator();
    cluster.restartOperator();
  }

  private static Secret secret(TestCluster cluster, String name) {
    return cluster.cluster().client().secrets().inNamespace(NAMESPACE).withName(name).require();
  }

  private static void mount(Secret secret, Path directory) throws Exception {
    for (Map.Entry<String, String> file : secret.getData().entrySet()) {
      Files.write(directory.resolve(file.getKey()), Base64.getDecoder().decode(file.getValue()));
    }
  }

  /** Runs it to its end, and returns what it said. */
  private String job(TestCluster cluster, String days) throws Exception {
    Process process = start(cluster, days);
    assertThat(process.waitFor(180, TimeUnit.SECONDS)).isTrue();
    String output = Files.readString(folder.resolve("output"), StandardCharsets.UTF_8);
    assertThat(process.exitValue()).as(output).isZero();
    return output;
  }

  private Process start(TestCluster cluster, String days) throws Exception {
    List<String> command =
        new ArrayList<>(
            new JavaCommand(JavaCommand.Tuning.QUICK_START, "128m", folder)
                .jar(Repository.find().operatorJar()));
    command.add("certificates");
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(folder.resolve("output").toFile());
    builder
        .environment()
        .putAll(
            Map.of(
                "KUBECONFIG",
                cluster.cluster().kubeconfig().toString(),
                "CERTIFICATES_NAMESPACE",
                NAMESPACE,
                "CERTIFICATES_AUTHORITY_SECRET",
                "ca",
                "CERTIFICATES_OPERATOR_SECRET",
                "operator-tls",
                "CERTIFICATES_AGENT_SECRET",
                "agent-tls",
                "CERTIFICATES_VALIDITY_DAYS",
                days));
    return builder.start();
  }
}
