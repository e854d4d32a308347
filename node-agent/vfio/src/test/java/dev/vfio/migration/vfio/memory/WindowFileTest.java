package dev.vfio.migration.vfio.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.HugeMemory;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.linux.PassedDescriptors;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Page runs of a window move between its file and direct buffers, and nothing beside it does. */
@Timeout(120)
class WindowFileTest {
  private static final int PAGE = 4096;

  @TempDir Path folder;
  private final List<Descriptor> handles = new ArrayList<>();

  private DmaWindow window(long fileSize, long size) throws IOException {
    Path path = folder.resolve("ring");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(fileSize);
    }
    Descriptor handle = PassedDescriptors.naming(path);
    handles.add(handle);
    return new DmaWindow("ring", 1L << 32, size, path, false, Optional.of(handle));
  }

  @AfterEach
  void close() {
    handles.forEach(Descriptor::close);
  }

  @Test
  void pageRunsMoveBothWaysAlsoBeyondTwoGibibytes() throws IOException {
    long size = 3L << 30;
    DmaWindow declared = window(size, size);
    ByteBuffer run = ByteBuffer.allocateDirect(2 * PAGE);
    for (int i = 0; i < run.capacity(); i++) {
      run.put(i, (byte) (i * 7));
    }
    try (WindowFile destination = WindowFile.open(declared, true);
        WindowFile source = WindowFile.open(declared, false)) {
      destination.write(size - 2 * PAGE, run);
      assertThat(run.hasRemaining()).isFalse();
      ByteBuffer back = ByteBuffer.allocateDirect(2 * PAGE);
      source.read(size - 2 * PAGE, back);
      assertThat(back.flip()).isEqualTo(run.rewind());
      assertThat(source.size()).isEqualTo(size);
    }
    assertThat(OpenDescriptors.count(folder))
        .as("that of the window alone")
        .containsEntry(declared.file().toString(), 1);
  }

  /** Found out here, and not by the first page that arrives while the workload stands still. */
  @Test
  void aWindowThatTakesNoWritesIsRefusedWhereItIsOpenedForWriting() throws IOException {
    Descriptor huge = HugeMemory.create(2 << 20);
    handles.add(huge);
    DmaWindow window = new DmaWindow("ring", 0, PAGE, folder, false, Optional.of(huge));
    assertThatThrownBy(() -> WindowFile.open(window, true))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll(
            "hugetlbfs", "let the destination use a file of tmpfs", "No memory was touched");
    try (WindowFile source = WindowFile.open(window, false)) {
      ByteBuffer page = ByteBuffer.allocateDirect(PAGE);
      source.read(0, page);
      assertThat(page.hasRemaining()).isFalse();
    }
    Descriptor sealed = HugeMemory.sealed(PAGE);
    handles.add(sealed);
    DmaWindow other = new DmaWindow("ring", 0, PAGE, folder, false, Optional.of(sealed));
    assertThatThrownBy(() -> WindowFile.open(other, true)).hasMessageContaining("sealed");
  }

  @Test
  void theFileBehindTheWindowsEndIsOutOfReach() throws IOException {
    try (WindowFile file = WindowFile.open(window(4 * PAGE, 2 * PAGE), true)) {
      ByteBuffer run = ByteBuffer.allocateDirect(PAGE);
      assertThatThrownBy(() -> file.write(PAGE + 1, run))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> file.read(2 * PAGE, run))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void aFileShorterThanTheWindowIsRefusedAndNamed() throws IOException {
    DmaWindow declared = window(PAGE, 2 * PAGE);
    assertThatThrownBy(() -> WindowFile.open(declared, true))
        .isInstanceOf(IOException.class)
        .hasMessageContainingAll("window ring", "the file has 4096 bytes", "No memory was touched");
    assertThat(OpenDescriptors.count(folder))
        .as("that of the window alone")
        .containsEntry(declared.file().toString(), 1);
  }

  @Test
  void aFileThatIsCutShortMeanwhileIsAnErrorThatNamesTheWindow() throws IOException {
    try (WindowFile file = WindowFile.open(window(4 * PAGE, 4 * PAGE), true)) {
      window(PAGE, PAGE);
      assertThatThrownBy(() -> file.read(2 * PAGE, ByteBuffer.allocateDirect(PAGE)))
          .isInstanceOf(IOException.class)
          .hasMessageContainingAll("reading window ring from offset 8192 on failed", "cut short");
    }
  }

  @Test
  void aWindowOpenedForReadingIsNotWritten() throws IOException {
    try (WindowFile file = WindowFile.open(window(PAGE, PAGE), false)) {
      assertThatThrownBy(() -> file.write(0, ByteBuffer.allocateDirect(PAGE)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("writing window ring from offset 0 on failed");
    }
  }

  /**
   * Between the check and the copy the name may come to lead elsewhere; the descriptor does not.
   */
  @Test
  void whatTheNameLeadsToMeanwhileIsNotTouched() throws IOException {
    DmaWindow declared = window(PAGE, PAGE);
    Path other = Files.write(folder.resolve("other"), new byte[PAGE]);
    Files.move(declared.file(), folder.resolve("moved"));
    Files.createSymbolicLink(declared.file(), other);

    try (WindowFile file = WindowFile.open(declared, true)) {
      file.write(0, ByteBuffer.allocateDirect(PAGE).put(0, (byte) 7));
    }

    assertThat(Files.readAllBytes(other)).containsOnly(0);
    assertThat(Files.readAllBytes(folder.resolve("moved"))).startsWith(7);
  }

  @Test
  void aWindowWithoutADescriptorIsOutOfReach() {
    DmaWindow declared = new DmaWindow("ring", 1L << 32, PAGE, folder.resolve("ring"));
    assertThatThrownBy(() -> WindowFile.open(declared, false).close())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("there is no descriptor of it. No memory was touched");
  }

  /** What was cut short grows again, and further than the window; nothing behind it is touched. */
  @Test
  void aFileThatGrowsAndShrinksHarmsNobody() throws Exception {
    DmaWindow declared = window(4 * PAGE, 4 * PAGE);
    AtomicBoolean done = new AtomicBoolean();
    Thread owner =
        new Thread(
            () -> {
              try (RandomAccessFile file = new RandomAccessFile(declared.file().toFile(), "rw")) {
                while (!done.get()) {
                  file.setLength(0);
                  file.setLength(8 * PAGE);
                }
              } catch (IOException unexpected) {
                throw new UncheckedIOException(unexpected);
              }
            });
    owner.start();
    int copied = 0;
    try {
      for (int tries = 0; tries < 2_000 || copied == 0; tries++) {
        try (WindowFile file = WindowFile.open(declared, true)) {
          ByteBuffer run = ByteBuffer.allocateDirect(4 * PAGE);
          file.read(0, run);
          file.write(0, run.flip());
          copied++;
        } catch (IOException cutShort) {
          assertThat(cutShort)
              .message()
              .containsAnyOf("cut short to less than", "the file has 0 bytes");
        }
      }
    } finally {
      done.set(true);
      owner.join();
    }
    assertThat(copied).isPositive();
  }
}
