package dev.vfio.migration.operator;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import dev.vfio.migration.operator.agents.TlsFiles;
import dev.vfio.migration.operator.agents.TlsFiles.CredentialsException;
import io.fabric8.kubernetes.api.model.StatusBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.net.ConnectException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a person reads last of an operator that does not start. */
class StartFailureTest {

  @Test
  void anApiServerThatCannotBeReachedIsNamed() {
    assertThat(
            StartFailure.explain(
                new RuntimeException(
                    "Failed to start quarkus",
                    new ExecutionException(
                        new ConnectException("Connection refused: /127.0.0.1:1")))))
        .contains("the API server cannot be reached (Connection refused: /127.0.0.1:1)")
        .contains("network policy");
  }

  @ParameterizedTest
  @CsvSource({"401, token", "403, operator-rbac.yaml", "404, kubectl apply", "500, log"})
  void whatTheApiServerRefusedIsReported(int code, String remedy) {
    assertThat(
            StartFailure.explain(
                new RuntimeException(
                    new KubernetesClientException(
                        "devicemigrations is forbidden",
                        code,
                        new StatusBuilder().withCode(code).build()))))
        .contains("the API server answered " + code + " (devicemigrations is forbidden")
        .contains(remedy);
  }

  /** Also where a file that is not there lies below it. */
  @Test
  void whatTheOperatorItselfRefusesIsReportedAsItIs(@TempDir Path nothing) {
    try {
      new TlsFiles(nothing, Clock.systemUTC()).load();
    } catch (CredentialsException missing) {
      assertThat(StartFailure.explain(new RuntimeException("Failed to start quarkus", missing)))
          .startsWith(
              "The operator did not start: the operator's own certificates cannot be used: ")
          .contains(nothing.resolve("tls.crt") + " is missing");
      return;
    }
    fail("read what is not there");
  }
}
