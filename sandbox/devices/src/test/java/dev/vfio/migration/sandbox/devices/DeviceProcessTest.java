package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(120)
class DeviceProcessTest {
  private final List<Process> processes = new ArrayList<>();
  private Path directory;

  @BeforeEach
  void makeDirectory() throws IOException {
    directory = Files.createTempDirectory(Path.of("/tmp"), "proc");
  }

  @AfterEach
  void endAll() throws IOException {
    processes.forEach(Process::destroyForcibly);
    try (Stream<Path> files = Files.walk(directory)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  @Test
  void itSaysReadyMovesItsStateAndEndsCleanlyOnATermSignal() throws Exception {
    Process source = start("node-a", "running");
    assertThat(firstLine(source)).isEqualTo("READY");
    assertThat(files())
        .containsExactlyInAnyOrder(
            "gpu-0",
            "gpu-0/device.sock",
            "gpu-0/workload.sock",
            "gpu-0/console.sock",
            "node-a.gpu-0.ring",
            "node-a.log");
    try (VfioUserClient client = VfioUserClient.connect(directory.resolve("gpu-0/device.sock"))) {
      assertThat(client.state()).isEqualTo(1);
      assertThat(client.setState(2)).isZero();
      assertThat(client.setState(3)).isZero();
      assertThat(client.getBuffer().remaining()).isGreaterThan(4096);
    }
    source.destroy();
    assertThat(source.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(files()).containsExactly("node-a.log");
    String log = Files.readString(directory.resolve("node-a.log"));
    assertThat(RecordedLog.parse(log))
        .extracting("event")
        .startsWith("state", "workload", "ready")
        .endsWith("stop");
    assertThat(RecordedLog.parse(log))
        .extracting(event -> ((Number) event.get("t")).longValue())
        .isSorted();
  }

  @Test
  void theConsoleEndsItToo() throws Exception {
    Process process = start("node-a", "waiting");
    assertThat(firstLine(process)).isEqualTo("READY");
    try (LineClient console = new LineClient(directory.resolve("gpu-0/console.sock"))) {
      assertThat(console.ask("{'op':'stop'}")).containsEntry("ok", true);
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isZero();
    assertThat(files()).containsExactly("node-a.log");
  }

  @Test
  void aSecondProcessOnTheSameSocketsSaysWhyItCannot() throws Exception {
    assertThat(firstLine(start("node-a", "running"))).isEqualTo("READY");
    Process second = start("node-b", "running");
    assertThat(firstLine(second)).contains("another process serves").contains("stop it first");
    assertThat(second.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(second.exitValue()).isEqualTo(1);
    assertThat(files()).doesNotContain("node-b.gpu-0.ring").contains("gpu-0/device.sock");
  }

  @Test
  void socketsThatACrashLeftBehindAreTakenOver() throws Exception {
    Process first = start("node-a", "running");
    assertThat(firstLine(first)).isEqualTo("READY");
    first.destroyForcibly();
    assertThat(first.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(files()).contains("gpu-0/device.sock");
    assertThat(firstLine(start("node-a", "running"))).isEqualTo("READY");
  }

  @Test
  void wrongOptionsAreExplained() throws Exception {
    Process process = start("node-a", "sleeping");
    assertThat(firstLine(process))
        .isEqualTo("simulated device: --role is one of [running, waiting], not 'sleeping'");
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).isEqualTo(2);
  }

  private Process start(String node, String role) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of("-XX:+UseSerialGC", "-cp", System.getProperty("java.class.path")));
    command.add(DeviceProcess.class.getName());
    Path log = directory.resolve(node + ".log");
    command.addAll(List.of(LiveDevice.arguments(node, role, directory, log).split(" ")));
    command.addAll(List.of("--state-size", "1MiB", "--memory-size", "64KiB"));
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    processes.add(process);
    return process;
  }

  private static String firstLine(Process process) throws IOException {
    BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
    return output.readLine();
  }

  private List<String> files() throws IOException {
    try (Stream<Path> files = Files.walk(directory)) {
      return files
          .filter(file -> !file.equals(directory))
          .map(file -> directory.relativize(file).toString())
          .toList();
    }
  }
}
