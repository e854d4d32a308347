package dev.vfio.migration.agent.node;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real process that lacks what the agent cannot do without. */
class AgentMainTest {
  @TempDir private Path directory;

  @Test
  void whatNativeCodeCannotBeUnpackedIntoIsNamedAndNothingIsStarted() throws Exception {
    Path output = directory.resolve("output");
    // In what is no directory none can be made.
    Path folder = Files.createFile(directory.resolve("file")).resolve("absent");
    Process agent =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djna.tmpdir=" + folder,
                "-cp",
                System.getProperty("java.class.path"),
                AgentMain.class.getName())
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start();
    try {
      assertThat(agent.waitFor(100, TimeUnit.SECONDS)).isTrue();
    } finally {
      agent.destroyForcibly();
    }
    assertThat(agent.exitValue()).isEqualTo(1);
    assertThat(output)
        .content(StandardCharsets.UTF_8)
        .contains("JNA's native library cannot be loaded")
        .contains(folder.toString())
        .contains("-Djna.tmpdir=DIRECTORY");
  }
}
