package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A shared file is coherent with others' mappings, and its owner can do this process no harm. */
class SharedFileTest {
  private static final int PAGE = Host.pageSize();

  @TempDir Path folder;

  private Path file(long size) throws IOException {
    Path path = folder.resolve("memory");
    try (RandomAccessFile file = new RandomAccessFile(path.toFile(), "rw")) {
      file.setLength(size);
    }
    return path;
  }

  private static SharedFile opened(Path path, boolean writable) throws IOException {
    return SharedFile.of(Descriptor.open(path, writable));
  }

  private static ByteBuffer bytes(int... values) {
    ByteBuffer buffer = ByteBuffer.allocateDirect(values.length);
    for (int i = 0; i < values.length; i++) {
      buffer.put(i, (byte) values[i]);
    }
    return buffer;
  }

  @Test
  void itIsCoherentWithTheMappingsOfOthers() throws IOException {
    Path path = file(4L * PAGE);
    try (SharedFile shared = opened(path, true);
        FileChannel channel =
            FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
      MappedByteBuffer mapping = channel.map(MapMode.READ_WRITE, 0, 4L * PAGE);
      shared.write(PAGE + 10, bytes(1, 2, 3));
      assertThat(mapping.get(PAGE + 12)).isEqualTo((byte) 3);
      mapping.put(PAGE + 11, (byte) 9);
      ByteBuffer back = ByteBuffer.allocateDirect(8).position(2).limit(5);
      shared.read(PAGE + 10, back);
      assertThat(back.position()).isEqualTo(5);
      assertThat(back.slice(2, 3)).isEqualTo(bytes(1, 9, 3));
    }
  }

  @Test
  void aFileBeyondFourGibibytesIsOneRange() throws IOException {
    long size = (5L << 30) + PAGE;
    try (SharedFile shared = opened(file(size), true)) {
      for (long at : new long[] {(1L << 31) - 2, (1L << 32) - 2, size - 4}) {
        shared.write(at, ByteBuffer.allocateDirect(4).putInt(0, (int) at));
        ByteBuffer back = ByteBuffer.allocateDirect(4);
        shared.read(at, back);
        assertThat(back.getInt(0)).isEqualTo((int) at);
      }
    }
  }

  @Test
  void nothingBehindItsEndIsTouched() throws IOException {
    Path path = file(2L * PAGE);
    try (SharedFile shared = opened(path, true)) {
      ByteBuffer buffer = ByteBuffer.allocateDirect(8);
      assertThatThrownBy(() -> shared.write(2L * PAGE - 7, buffer))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> shared.read(-1, buffer))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
    assertThat(Files.size(path)).isEqualTo(2L * PAGE);
  }

  @Test
  void whatIsNoRegularFileIsRefusedAndClosed() throws IOException {
    assertThatThrownBy(() -> opened(Path.of("/dev/zero"), true))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("/dev/zero is a character device, not a regular file");
    assertThatThrownBy(() -> opened(folder.resolve("missing"), true))
        .isInstanceOf(ErrnoException.class)
        .hasMessageContaining("ENOENT (2)");
    assertThat(OpenDescriptors.count(Path.of("/dev/zero"))).doesNotContainKey("/dev/zero");
  }

  @Test
  void aFileThatIsCutShortIsAnError() throws IOException {
    Path path = file(64L * PAGE);
    try (SharedFile shared = opened(path, true)) {
      file(PAGE);
      ByteBuffer into = ByteBuffer.allocateDirect(16 * PAGE);
      assertThatThrownBy(() -> shared.read(32L * PAGE, into))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("cut short to less than " + (32 * PAGE + 1) + " bytes");
      assertThatThrownBy(() -> shared.read(0, into.clear()))
          .hasMessageContaining("cut short to less than " + (PAGE + 1) + " bytes");
    }
  }

  @Test
  void aFileOpenedForReadingIsNotWritten() throws IOException {
    try (SharedFile shared = opened(file(PAGE), false)) {
      assertThatThrownBy(shared::requireReadableAndWritable)
          .hasMessageContaining("not open for reading and writing");
      assertThatThrownBy(() -> shared.write(0, bytes(1)))
          .isInstanceOf(ErrnoException.class)
          .hasMessageContaining("EBADF (9)");
    }
  }

  @Test
  void afterClosingNothingIsReachedAndNoDescriptorIsLeft() throws IOException {
    Path path = file(PAGE);
    SharedFile shared = opened(path, true);
    assertThat(OpenDescriptors.count(folder)).containsEntry(path.toString(), 1);
    shared.close();
    shared.close();
    assertThat(OpenDescriptors.count(folder)).doesNotContainKey(path.toString());
    assertThatThrownBy(() -> shared.read(0, ByteBuffer.allocateDirect(1)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("was closed");
  }
}
