package dev.vfio.migration.vfio.holder;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.io.TempDir;

/** A process names itself as it likes, and deceives nobody about when it was started. */
class ProcessesFuzzTest {
  private static final String BEHIND_THE_COMMAND =
      ") S 7 6 6 0 -1 4194560 1 0 0 0 1 2 0 0 20 0 1 0 4711 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 17 0\n";

  @TempDir static Path proc;

  @FuzzTest(maxDuration = "1h")
  void theStartTimeIsRightWhateverTheProcessIsCalled(byte[] command) throws IOException {
    Path process = Files.createDirectories(proc.resolve("42"));
    ByteArrayOutputStream stat = new ByteArrayOutputStream();
    stat.writeBytes("42 (".getBytes(StandardCharsets.US_ASCII));
    stat.writeBytes(command);
    stat.writeBytes(BEHIND_THE_COMMAND.getBytes(StandardCharsets.US_ASCII));
    Files.write(process.resolve("stat"), stat.toByteArray());
    Processes processes = new Processes(proc);
    assertThat(processes.startTime(42)).hasValue(4711);
    assertThat(processes.parent(42)).hasValue(7);
  }
}
