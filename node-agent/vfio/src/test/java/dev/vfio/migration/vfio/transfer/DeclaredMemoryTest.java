package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.holder.Holder;
import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.inventory.NodeDevice;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.MemoryFile;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.PassedDescriptors;
import dev.vfio.migration.vfio.memory.WindowFile;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a workload declares gives nobody a file that it could not read itself, and no read that may
 * never end. This process is the workload.
 */
@Timeout(120)
class DeclaredMemoryTest {
  private static final int PAGE = 4096;
  private static final Processes PROCESSES = new Processes(Path.of("/proc"));

  private final DeclarationWriters writers = new DeclarationWriters();

  @TempDir Path folder;
  private Path file;
  private Holder self;

  @BeforeEach
  void beTheWorkload() throws IOException {
    file = folder.resolve("memory.json");
    self = startedAt(PROCESSES.startTime(PROCESSES.self()).orElseThrow());
  }

  private Holder startedAt(long startTime) throws IOException {
    long process = PROCESSES.self();
    NodeDevice device =
        new NodeDevice("0000:65:00.1", folder, "vfio-pci", "", "", "", 7, "", -1, "");
    return new Holder(
        device,
        process,
        startTime,
        "dpdk-app",
        "/pod",
        (Integer) Files.getAttribute(folder, "unix:uid"),
        false,
        3,
        "any",
        Set.of(process),
        0);
  }

  private DeclaredMemory declared(Descriptor memory, Holder holder) throws IOException {
    Files.writeString(
        file,
        "{\"protocol\":1,\"windows\":[{\"name\":\"ring\",\"iova\":0,\"size\":4096,\"fd\":"
            + PassedDescriptors.number(memory)
            + "}]}");
    return DeclaredMemory.of(file, holder, PROCESSES, PAGE, writers);
  }

  @Test
  void aDescriptorThatOnlyNamesAFileIsRefused() throws IOException {
    Path secret = Files.write(folder.resolve("secret"), new byte[PAGE]);
    try (Descriptor name = PassedDescriptors.naming(secret)) {
      assertThatThrownBy(() -> declared(name, self))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("window ring: its descriptor was opened with O_PATH")
          .hasMessageContaining("open for reading");
    }
    try (Descriptor memory = MemoryFile.create("ring", PAGE);
        Descriptor name = PassedDescriptors.naming(OpenFile.path(memory))) {
      assertThatThrownBy(() -> declared(name, self)).hasMessageContaining("O_PATH");
    }
  }

  @Test
  void aFileThatIsNoMemoryIsRefused() throws IOException {
    for (String other : List.of("/proc/self/maps", "/proc", "/dev/zero")) {
      try (Descriptor descriptor = PassedDescriptors.open(Path.of(other), false)) {
        assertThatThrownBy(() -> declared(descriptor, self))
            .isInstanceOf(WorkloadException.class)
            .hasMessageContaining("is neither in tmpfs, where a memfd is too, nor in hugetlbfs");
      }
    }
  }

  /** A full disk, a crash or a writer that is not done leaves such: memory would stay behind. */
  @Test
  void aDeclarationThatSaysNothingIsNotAnAbsentOne() throws IOException {
    DeclaredMemory.of(file, self, PROCESSES, PAGE, writers).close();
    for (String text :
        List.of(
            "", " \n", "\0\0\0\0", "{}", "{\"protocol\":1}", "{\"protocol\":1,\"window\":[]}")) {
      Files.writeString(file, text);
      assertThatThrownBy(() -> DeclaredMemory.of(file, self, PROCESSES, PAGE, writers))
          .as(text)
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("Nothing was done to the workload or the device");
    }
    Files.writeString(file, "{\"protocol\":1,\"windows\":[]}");
    try (DeclaredMemory none = DeclaredMemory.of(file, self, PROCESSES, PAGE, writers)) {
      assertThat(none.windows()).isEmpty();
      assertThat(none.isStill(file, self)).isTrue();
      Files.writeString(file, "");
      assertThat(none.isStill(file, self)).isFalse();
    }
  }

  /** Damaged, misspelt, of a later version: none of it is the same as having no memory. */
  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '~',
      delimiter = '|',
      value = {
        "{`protocol`:1}|it must say `windows`",
        "{`protocol`:1,`window`:[]}|it has `window`, which protocol 1 does not know",
        "{`protocol`:1,`windows`:null}|`windows` must be said in a list",
        "{`protocol`:1,`windows`:{}}|`windows` must be said in a list",
        "{`protocol`:1,`windows`:[],`window`:[]}|it has `window`, which protocol 1 does not know",
        "{`protocol`:1,`windows`:[],`windows`:[]}|Duplicate field 'windows'",
        "{`protocol`:1,`windows`:[]}{}|Trailing token",
        "{`protocol`:1,`windows`:[]}]|it is no JSON",
        "{`protocol`:1,`windows`:[|it is no JSON",
        "[{`protocol`:1,`windows`:[]}]|it is no JSON object",
        "null|it is no JSON object",
        "{`protocol`:2,`windows`:[]}|it says protocol 2, and this agent knows 1",
        "{`protocol`:2,`regions`:[]}|it says protocol 2, and this agent knows 1",
        "{`protocol`:18446744073709551617,`windows`:[]}|protocol 18446744073709551617",
        "{`protocol`:`1`,`windows`:[]}|protocol `1`",
        "{`protocol`:1.0,`windows`:[]}|protocol 1.0",
        "{`protocol`:true,`windows`:[]}|protocol true",
        "{`windows`:[]}|it says no protocol",
        "\uFEFF{`protocol`:1,`windows`:[]}|it is no JSON",
        "{`protocol`:1,`windows`:[{`name`:`r`,`iova`:`0`,`size`:4096,`fd`:0}]}|iova must be a"
            + " number",
        "{`protocol`:1,`windows`:[{`name`:`r`,`iova`:0,`size`:4096.0,`fd`:0}]}|size must be a"
            + " number",
        "{`protocol`:1,`windows`:[{`name`:`r`,`iova`:0,`size`:-4096,`fd`:0}]}|size must be a"
            + " number",
        "{`protocol`:1,`windows`:[{`name`:`r`,`iova`:0,`size`:4096,`fd`:null}]}|fd must be a"
            + " number",
        "{`protocol`:1,`windows`:[{`name`:`r`,`iova`:0,`size`:4096,`fd`:0,`offset`:4096}]}"
            + "|window r has `offset`, which protocol 1 does not know",
        "{`protocol`:1,`windows`:[{`name`:`r`,`iova`:0,`size`:4096,`fd`:0,`loged`:true}]}"
            + "|window r has `loged`, which protocol 1 does not know",
      })
  void aDeclarationThatIsNotWholeIsRefused(String text, String why) throws IOException {
    Files.writeString(file, text.replace('`', '"'));
    assertRefused(why.replace('`', '"'));
  }

  private void assertRefused(String why) {
    assertThatThrownBy(() -> DeclaredMemory.of(file, self, PROCESSES, PAGE, writers))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining(why)
        .hasMessageContaining("Nothing was done to the workload or the device");
  }

  @Test
  void aDeclarationInAnotherEncodingIsRefused() throws IOException {
    String none = "{\"protocol\":1,\"windows\":[]}";
    Files.write(file, none.getBytes(StandardCharsets.UTF_16LE));
    assertRefused("it is no JSON");
    Files.write(
        file, none.replace("[]", "[],\"x-note\":\"\u00e9\"").getBytes(StandardCharsets.ISO_8859_1));
    assertRefused("it is not in UTF-8");
    Files.writeString(file, "{\"protocol\":1,\"windows\":" + "[".repeat(100_000));
    assertRefused("it is no JSON");
  }

  /** A writer that wants to say more says it under names that are nobody's in any version. */
  @Test
  void namesThatBeginWithXAreTheWritersOwn() throws IOException {
    Files.writeString(file, "{\"protocol\":1,\"windows\":[],\"x-build\":\"42\"}");
    try (DeclaredMemory none = DeclaredMemory.of(file, self, PROCESSES, PAGE, writers)) {
      assertThat(none.windows()).isEmpty();
    }
  }

  @Test
  void memoryIsReadThroughTheDescriptorAndNotByAName() throws IOException {
    try (Descriptor ring = MemoryFile.create("ring", PAGE);
        DeclaredMemory memory = declared(ring, self)) {
      DmaWindow window = memory.windows().get(0);
      try (WindowFile read = WindowFile.open(window, false)) {
        ByteBuffer page = ByteBuffer.allocateDirect(PAGE);
        read.read(0, page);
        assertThat(page.hasRemaining()).isFalse();
        memory.close();
        read.read(0, page.clear());
        assertThat(page.hasRemaining()).as("a duplicate of its own").isFalse();
      }

      // Whatever has the number now.
      List<Descriptor> others = new ArrayList<>();
      while (!Files.exists(window.file()) && others.size() < 64) {
        others.add(MemoryFile.create("another", PAGE));
      }
      assertThatThrownBy(() -> WindowFile.open(window, false).close())
          .hasMessageContaining("cannot be opened")
          .hasMessageContaining("EBADF");
      others.forEach(Descriptor::close);
    }
  }

  @Test
  void memoryThatCannotBeWrittenIsNotOpenedForWriting() throws IOException {
    try (Descriptor ring = MemoryFile.create("ring", PAGE);
        Descriptor readable = PassedDescriptors.open(OpenFile.path(ring), false);
        DeclaredMemory memory = declared(readable, self)) {
      assertThatThrownBy(() -> WindowFile.open(memory.windows().get(0), true).close())
          .hasMessageContaining("it is not open for reading and writing");
    }
  }

  @Test
  void nothingIsTakenFromAnotherProcessOfThatNumber() throws IOException {
    try (Descriptor ring = MemoryFile.create("ring", PAGE)) {
      Holder earlier = startedAt(self.startTime() - 1);

      assertThatThrownBy(() -> declared(ring, earlier))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
          .hasMessageContaining("is another one now");
    }
  }

  /** The folder is the workload's: whatever it puts there in the place of the declaration. */
  @Test
  void aDeclarationThatIsNoFileOfItsOwnIsRefusedAndNotWaitedFor() throws Exception {
    Path secret = Files.writeString(folder.resolve("secret"), "nobody else's business");
    List<List<String>> attacks =
        List.of(
            List.of("ln", "-s", secret.toString()),
            List.of("ln", "-s", "/dev/zero"),
            List.of("ln", "-s", "/proc/self/environ"),
            List.of("ln", secret.toString()),
            List.of("mkfifo"),
            List.of("mkdir"));
    List<String> reasons =
        List.of(
            "a link is in the way",
            "a link is in the way",
            "a link is in the way",
            "has 2 names (hard links)",
            "is a FIFO, not a regular file",
            "is a directory, not a regular file");
    for (int i = 0; i < attacks.size(); i++) {
      List<String> command = new ArrayList<>(attacks.get(i));
      command.add(file.toString());
      assertThat(new ProcessBuilder(command).inheritIO().start().waitFor()).isZero();
      assertThatThrownBy(() -> DeclaredMemory.of(file, self, PROCESSES, PAGE, writers))
          .as(command.toString())
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining(reasons.get(i))
          .hasMessageContaining("Nothing was done to the workload or the device")
          .hasMessageNotContaining("business");
      Files.delete(file);
    }
  }

  @Test
  void aFolderThatIsALinkIsNotEntered() throws IOException {
    Path real = Files.createDirectory(folder.resolve("real"));
    Files.writeString(real.resolve("memory.json"), "{\"protocol\":1}");
    Path link = Files.createSymbolicLink(folder.resolve("link"), real);
    assertThatThrownBy(
            () -> DeclaredMemory.of(link.resolve("memory.json"), self, PROCESSES, PAGE, writers))
        .hasMessageContaining("ENOTDIR (20)");
  }
}
