package dev.vfio.migration.sandbox.apiserver.kubectl;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** Runs the real kubectl as a process with a home directory and kubeconfig of its own. */
final class Kubectl {
  private static final long LIMIT_SECONDS = 60;

  private final Path binary;
  private final Path home;
  private final Path kubeconfig;

  Kubectl(Path binary, Path home, String kubeconfigText) throws IOException {
    this.binary = binary;
    this.home = home;
    this.kubeconfig = home.resolve("kubeconfig");
    Files.writeString(kubeconfig, kubeconfigText);
  }

  /** What a run gave. */
  record Result(int exitCode, String output, String errors) {
    Result expectSuccess() {
      if (exitCode != 0) {
        throw new AssertionError("kubectl ended with " + exitCode + ": " + errors + output);
      }
      return this;
    }
  }

  /** The binary of the system property {@code kubectl}, else the one on the PATH. */
  static Optional<Path> find() {
    String named = System.getProperty("kubectl", "");
    if (!named.isEmpty()) {
      return Optional.of(Path.of(named)).filter(Files::isExecutable);
    }
    for (String directory : System.getenv().getOrDefault("PATH", "").split(":")) {
      Path candidate = Path.of(directory, "kubectl");
      if (Files.isExecutable(candidate)) {
        return Optional.of(candidate);
      }
    }
    return Optional.empty();
  }

  /** Minor version of the client, for example 20. */
  int minorVersion() {
    String json = run("version", "--client", "-o", "json").expectSuccess().output();
    return Integer.parseInt(json.replaceAll("(?s).*\"minor\":\\s*\"(\\d+).*", "$1"));
  }

  Result run(String... arguments) {
    return feed("", arguments);
  }

  /** With a text on standard input. */
  Result feed(String input, String... arguments) {
    try {
      Path output = Files.createTempFile(home, "kubectl", ".out");
      Path errors = Files.createTempFile(home, "kubectl", ".err");
      Process process = start(output, errors, arguments);
      try (var standardInput = process.getOutputStream()) {
        standardInput.write(input.getBytes(StandardCharsets.UTF_8));
      }
      if (!process.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS)) {
        process.destroyForcibly();
        throw new AssertionError(
            "kubectl %s did not end in %d s: %s"
                .formatted(String.join(" ", arguments), LIMIT_SECONDS, Files.readString(errors)));
      }
      return new Result(process.exitValue(), Files.readString(output), Files.readString(errors));
    } catch (IOException e) {
      throw new UncheckedIOException("kubectl could not be run", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError("interrupted while kubectl ran", e);
    }
  }

  /** Starts kubectl and leaves it running. */
  Process start(Path output, Path errors, String... arguments) throws IOException {
    List<String> command = new ArrayList<>(List.of(binary.toString()));
    command.addAll(List.of(arguments));
    ProcessBuilder builder = new ProcessBuilder(command);
    builder.environment().put("HOME", home.toString());
    builder.environment().put("KUBECONFIG", kubeconfig.toString());
    return builder.redirectOutput(output.toFile()).redirectError(errors.toFile()).start();
  }
}
