package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A declaration counts for the process that wrote it and for no later one, whatever the clock said
 * then or says now. Two real processes hold the device one after the other.
 */
@Timeout(60)
class DeclarationWritersTest {
  private static final Processes PROCESSES = new Processes(Path.of("/proc"));

  private final DeclarationWriters writers = new DeclarationWriters();
  private final List<Process> started = new ArrayList<>();

  @TempDir Path folder;
  private Path file;
  private Holder earlier;
  private Holder holder;

  @BeforeEach
  void start() throws IOException {
    file = folder.resolve("memory.json");
    earlier = holder();
    holder = holder();
  }

  @AfterEach
  void stop() throws InterruptedException {
    for (Process process : started) {
      process.destroyForcibly();
      assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    }
  }

  private Holder holder() throws IOException {
    Process process = new ProcessBuilder("sleep", "300").start();
    started.add(process);
    return new Holder(
        new NodeDevice("0000:65:00.1", folder, "vfio-pci", "", "", "", 7, "", -1, ""),
        process.pid(),
        PROCESSES.startTime(process.pid()).orElseThrow(),
        "sleep",
        "/pod",
        (Integer) Files.getAttribute(folder, "unix:uid"),
        false,
        3,
        "any",
        Set.of(process.pid()),
        0);
  }

  private void write(String writer) throws IOException {
    Files.writeString(file, "{\"protocol\":1," + writer + "\"windows\":[]}");
  }

  private void writeNaming(long pid, long startTicks) throws IOException {
    write("\"pid\":" + pid + ",\"startTicks\":" + startTicks + ",");
  }

  private void read(Holder by) throws IOException {
    DeclaredMemory.of(file, by, PROCESSES, 4096, writers).close();
  }

  private void setTimes(Duration ago) throws IOException {
    Files.setLastModifiedTime(file, FileTime.from(Instant.now().minus(ago)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"PT0S", "PT2M", "PT1H", "PT8760H", "PT-2M", "PT-1H", "PT-8760H"})
  void itsOwnFileIsReadWhateverTheClockWasSetTo(Duration ago) throws IOException {
    writeNaming(holder.process(), holder.startTime());
    setTimes(ago);
    read(holder);
    write("");
    setTimes(ago);
    read(holder);
  }

  @ParameterizedTest
  @ValueSource(strings = {"PT0S", "PT2M", "PT1H", "PT8760H", "PT-2M", "PT-1H", "PT-8760H"})
  void anEarlierProcessFileIsRefusedWhateverTheClockWasSetTo(Duration ago) throws IOException {
    writeNaming(earlier.process(), earlier.startTime());
    setTimes(ago);
    assertThatThrownBy(() -> read(holder))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("an earlier one wrote it")
        .hasMessageContaining("Nothing was done to the workload or the device");
  }

  /** Made and removed for as long as the agent runs, as mediated devices are. */
  @Test
  void devicesThatAreGoneAreForgotten() throws IOException {
    for (int device = 0; device < 10; device++) {
      file = folder.resolve(device + ".json");
      write("");
      read(holder);
      Files.delete(file);
    }
    file = folder.resolve("memory.json");
    write("");
    read(earlier);
    assertThat(writers.remembered()).isEqualTo(1);
    assertThatThrownBy(() -> read(holder)).hasMessageContaining("an earlier process wrote it");
  }

  /** Numbers are used again: the start tells. */
  @Test
  void anEarlierProcessOfTheSameNumberIsAnother() throws IOException {
    writeNaming(holder.process(), holder.startTime() - 1);
    assertThatThrownBy(() -> read(holder)).hasMessageContaining("an earlier one wrote it");
    writeNaming(earlier.process(), holder.startTime());
    assertThatThrownBy(() -> read(holder)).hasMessageContaining("an earlier one wrote it");
  }

  @Test
  void aProcessIsKnownByItsNumberInItsOwnNamespace() throws IOException {
    Path proc = Files.createDirectories(folder.resolve("proc/4711"));
    String numbers = "4711 (a) b) S" + " 0".repeat(18) + " 500 0\n";
    Files.writeString(proc.resolve("stat"), numbers);
    Files.writeString(proc.resolve("status"), "Name:\tx\nNSpid:\t4711\t12\t7\nUid:\t0\t0\t0\t0\n");
    Processes seen = new Processes(folder.resolve("proc"));
    assertThat(seen.numbers(4711)).containsExactly(4711L, 12L, 7L);
    assertThat(seen.numbers(4712)).isEmpty();
    assertThat(seen.startTime(4711)).hasValue(500);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "\"pid\":1,",
        "\"startTicks\":1,",
        "\"pid\":\"1\",\"startTicks\":1,",
        "\"pid\":1,\"startTicks\":1.5,",
        "\"pid\":0,\"startTicks\":1,",
        "\"pid\":null,\"startTicks\":null,"
      })
  void halfANameIsDamageAndNotNone(String writer) throws IOException {
    write(writer);
    assertThatThrownBy(() -> read(holder))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("both \"pid\" and \"startTicks\"");
  }

  @Test
  void aFileWithoutANameIsRefusedWhereItWasThereUnderAnotherHolder() throws IOException {
    write("");
    read(earlier);
    setTimes(Duration.ofHours(1));
    read(earlier);
    assertThatThrownBy(() -> read(holder)).hasMessageContaining("an earlier process wrote it");
    assertThatThrownBy(() -> read(holder)).hasMessageContaining("an earlier process wrote it");
    // The same words, written anew.
    Path aside = Files.copy(file, folder.resolve("aside"));
    Files.move(aside, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
    read(holder);
  }

  @Test
  void whatWasReadOfOneProcessIsNotAnotherOnes() throws IOException {
    writeNaming(earlier.process(), earlier.startTime());
    try (DeclaredMemory memory = DeclaredMemory.of(file, earlier, PROCESSES, 4096, writers)) {
      assertThat(memory.isStill(file, earlier)).isTrue();
      assertThat(memory.isStill(file, holder)).isFalse();
    }
  }
}
