package dev.vfio.migration.sandbox.apiserver;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The server as a process: ready line, kubeconfig, end, and what it keeps over a restart. */
class ApiServerProcessTest {
  @TempDir Path directory;

  @Test
  void itPrintsReadyAndEndsOnSigterm() throws Exception {
    Path kubeconfig = directory.resolve("sub/kubeconfig");
    Process process =
        start("--kubeconfig", kubeconfig.toString(), "--crds", "src/test/resources/definitions");
    try {
      String url = readyUrl(process);
      assertThat(Files.readString(kubeconfig)).contains("server: " + url);
      assertThat(new RawClient(url).get("/apis/sandbox.vfio.dev/v1").code()).isEqualTo(200);
      process.destroy();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).isEqualTo(143);
    } finally {
      process.destroyForcibly();
    }
  }

  @Test
  void aDataDirectoryKeepsObjectsOverASuddenEnd() throws Exception {
    Path data = directory.resolve("data");
    String first = "/api/v1/namespaces/default/configmaps";
    Process process = start("--data-directory", data.toString());
    RawClient.Answer created;
    try {
      created =
          new RawClient(readyUrl(process))
              .post(
                  first,
                  "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"kept\"}}");
      assertThat(created.code()).isEqualTo(201);
    } finally {
      process.destroyForcibly().waitFor(60, TimeUnit.SECONDS);
    }
    Process again = start("--data-directory", data.toString());
    try {
      RawClient.Answer found = new RawClient(readyUrl(again)).get(first + "/kept");
      assertThat(found.code()).isEqualTo(200);
      assertThat(found.json()).isEqualTo(created.json());
    } finally {
      again.destroyForcibly().waitFor(60, TimeUnit.SECONDS);
    }
  }

  @Test
  void wrongArgumentsAreExplained() throws Exception {
    assertThat(failure(2, "--prot", "1")).contains("Unknown option").contains("Usage:");
    assertThat(failure(2, "--port")).contains("--port");
    assertThat(failure(2, "--port", "many")).contains("--port");
    assertThat(failure(1, "--port", "70000")).contains("port 70000 is not between 0 and 65535");
    assertThat(failure(1, "--address", "0.0.0.0")).contains("refusing to listen on 0.0.0.0");
    assertThat(failure(1, "--crds", directory.resolve("nowhere").toString()))
        .contains("did not start");
    Files.writeString(
        directory.resolve("broken.yaml"),
        "apiVersion: apiextensions.k8s.io/v1\n"
            + "kind: CustomResourceDefinition\n"
            + "metadata: {name: a.b}\n"
            + "spec: {}\n");
    assertThat(failure(1, "--crds", directory.toString()))
        .contains("broken.yaml")
        .contains("spec.group: Required value");
  }

  private static String failure(int exitCode, String... arguments) throws Exception {
    Process process = start(arguments);
    try {
      String errors = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
      assertThat(process.exitValue()).as(errors).isEqualTo(exitCode);
      return errors;
    } finally {
      process.destroyForcibly();
    }
  }

  private static String readyUrl(Process process) throws IOException {
    String line = new BufferedReader(new InputStreamReader(process.getInputStream())).readLine();
    assertThat(line).startsWith("READY http://127.0.0.1:");
    return line.substring("READY ".length());
  }

  private static Process start(String... arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.add("-cp");
    command.add(System.getProperty("java.class.path"));
    command.add(ApiServerProcess.class.getName());
    command.addAll(List.of(arguments));
    return new ProcessBuilder(command).start();
  }
}
