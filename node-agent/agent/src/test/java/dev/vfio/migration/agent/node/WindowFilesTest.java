package dev.vfio.migration.agent.node;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.session.WindowMemory;
import dev.vfio.migration.connections.Descriptors;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.MemoryFile;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.linux.RootDirectory;
import dev.vfio.migration.vfio.memory.MemoryRoom;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What windows take of this process and of its node is known before anything is copied. */
class WindowFilesTest {
  private static final Path INFORMATION = Path.of("/proc/meminfo");
  private static final MemoryRoom ENOUGH = new MemoryRoom(INFORMATION, () -> Long.MAX_VALUE);

  @TempDir Path folder;
  private final List<Descriptor> memory = new ArrayList<>();

  @AfterEach
  void close() {
    memory.forEach(Descriptor::close);
  }

  private List<DmaWindow> windows(int count, long size) throws IOException {
    List<DmaWindow> windows = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      Descriptor file = MemoryFile.create("w" + i, size);
      memory.add(file);
      windows.add(
          new DmaWindow("w" + i, i * size, size, OpenFile.path(file), false, Optional.of(file)));
    }
    return windows;
  }

  @Test
  void moreWindowsThanThereAreDescriptorsForAreRefusedAndTakeNone() throws IOException {
    WindowFiles files = new WindowFiles(8, ENOUGH);
    List<DmaWindow> five = windows(5, 4096);
    WindowMemory.Mapped first = files.map(five, false);
    long open = Descriptors.open();
    assertThatThrownBy(() -> files.map(five, true))
        .hasMessageContaining("there are 5")
        .hasMessageContaining("enough for 8 windows of all its sessions, of which 3 are left")
        .hasMessageContaining("RLIMIT_NOFILE");
    assertThat(Descriptors.open()).isEqualTo(open);
    first.close();
    first.close();
    files.map(five, true).close();
    files.map(windows(8, 4096), true).close();
    assertThatThrownBy(() -> files.map(windows(9, 4096), true)).hasMessageContaining("there are 9");
  }

  /** Its pages count for whoever writes them first, and that is the agent. */
  @Test
  void moreMemoryThanTheAgentMayHaveIsRefusedBeforeItIsFilled() throws IOException {
    WindowFiles files = new WindowFiles(8, new MemoryRoom(INFORMATION, () -> 1L << 20));
    List<DmaWindow> large = windows(2, 1L << 20);
    assertThatThrownBy(() -> files.map(large, true))
        .hasMessageContaining("need 2097152 bytes of memory")
        .hasMessageContaining("may have 1048576 more (memory.max");
    files.map(large, false).close();
    files.map(windows(1, 1L << 20), true).close();
  }

  /** More memory would not help it: hugetlbfs, which takes no writes, is one of these. */
  @Test
  void whatCannotBeWrittenIsSaidBeforeTheMemoryThatItWouldTake() throws IOException {
    Path file = Files.createTempFile(Path.of("/dev/shm"), "window", "");
    try (var channel = Files.newByteChannel(file, java.nio.file.StandardOpenOption.WRITE)) {
      channel.position((1 << 20) - 1);
      channel.write(java.nio.ByteBuffer.allocate(1));
    }
    try (RootDirectory root = RootDirectory.open(file.getParent());
        Descriptor open = root.open(file.getFileName(), false)) {
      DmaWindow window = new DmaWindow("ring", 0, 1 << 20, file, false, Optional.of(open));
      WindowFiles files = new WindowFiles(8, new MemoryRoom(INFORMATION, () -> 1));
      assertThatThrownBy(() -> files.map(List.of(window), true))
          .hasMessageContaining("is not open for reading and writing");
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void moreMemoryThanTheNodeHasIsRefusedBeforeItIsFilled() throws IOException {
    Path little = folder.resolve("meminfo");
    Files.writeString(
        little, "MemTotal: 999999999 kB\nMemAvailable:   1024 kB\nSwapFree:  512 kB\n");
    WindowFiles files = new WindowFiles(8, new MemoryRoom(little, () -> Long.MAX_VALUE));
    assertThatThrownBy(() -> files.map(windows(2, 1L << 20), true))
        .hasMessageContaining("need 2097152 bytes of memory, and this node has 1572864 to give");
    files.map(windows(1, 1L << 20), true).close();
    Files.writeString(little, "");
    files.map(windows(2, 1L << 20), true).close();
  }

  /** A sparse file in a tmpfs that is smaller: the write in the middle of the copy would fail. */
  @Test
  void moreThanTheFileSystemHasLeftIsRefusedBeforeItIsFilled() throws IOException {
    Path file = Files.createTempFile(Path.of("/dev/shm"), "window", "");
    try (RootDirectory root = RootDirectory.open(file.getParent());
        Descriptor open = root.open(file.getFileName(), true)) {
      long free = OpenFile.freeBytes(open);
      long size = (free + (1L << 30)) & -4096L;
      try (var channel = Files.newByteChannel(file, java.nio.file.StandardOpenOption.WRITE)) {
        channel.position(size - 1);
        channel.write(java.nio.ByteBuffer.allocate(1));
      }
      DmaWindow window = new DmaWindow("ring", 0, size, file, false, Optional.of(open));
      assertThatThrownBy(() -> new WindowFiles(8, ENOUGH).map(List.of(window), true))
          .hasMessageContaining("their files lack")
          .hasMessageContaining("left");
    } finally {
      Files.delete(file);
    }
  }
}
