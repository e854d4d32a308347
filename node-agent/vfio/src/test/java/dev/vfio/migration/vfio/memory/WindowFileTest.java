package dev.vfio.migration.vfio.memory;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Page runs of a window move between its file and direct buffers, and nothing beside it does. */
class WindowFileTest {
  private static final int PAGE = 4096;

  @TempDir Path folder;

  private DmaWindow window(long fileSize, long size) throws IOException {
    Path path = folder.resolve("ring");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(fileSize);
    }
    return new DmaWindow("ring", 1L << 32, size, path);
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
    assertThat(OpenDescriptors.count(folder)).doesNotContainKey(declared.file().toString());
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
        .hasMessageContaining("window ring")
        .hasMessageContaining("the file has 4096 bytes")
        .hasMessageContaining("No memory was touched");
    assertThat(OpenDescriptors.count(folder)).doesNotContainKey(declared.file().toString());
  }

  @Test
  void aFileThatIsCutShortMeanwhileIsAnErrorThatNamesTheWindow() throws IOException {
    try (WindowFile file = WindowFile.open(window(4 * PAGE, 4 * PAGE), true)) {
      window(PAGE, PAGE);
      assertThatThrownBy(() -> file.read(2 * PAGE, ByteBuffer.allocateDirect(PAGE)))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("reading window ring from offset 8192 on failed")
          .hasMessageContaining("cut short");
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
}
