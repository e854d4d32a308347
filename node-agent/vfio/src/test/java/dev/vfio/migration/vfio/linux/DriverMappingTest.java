package dev.vfio.migration.vfio.linux;

import static dev.vfio.migration.vfio.linux.TestFiles.bytes;
import static dev.vfio.migration.vfio.linux.TestFiles.room;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A mapping is the file's own memory, and what a driver takes away is an error, not a crash. */
@Timeout(120)
class DriverMappingTest {
  private static final int PAGE = Host.pageSize();

  @Test
  void itIsTheFilesOwnMemory() throws IOException {
    try (DriverFile file = TestFiles.memory("own-memory", 4L * PAGE);
        DriverMapping mapping = DriverMapping.of(file, PAGE, 2L * PAGE)) {
      file.writeAt(PAGE + 10, bytes(1, 2, 3));
      ByteBuffer got = room(8).position(2).limit(5);
      mapping.read(10, got);
      assertThat(got.slice(2, 3)).isEqualTo(bytes(1, 2, 3));
      assertThat(got.position()).isEqualTo(5);
      mapping.write(2L * PAGE - 2, bytes(0, 8, 9).position(1));
      ByteBuffer back = room(2);
      file.readAt(3L * PAGE - 2, back);
      assertThat(back.flip()).isEqualTo(bytes(8, 9));
    }
  }

  @Test
  void manyMebibytesGoInOneCall() throws IOException {
    int size = (5 << 20) + PAGE;
    try (DriverFile file = TestFiles.memory("many", size);
        DriverMapping mapping = DriverMapping.of(file, 0, size)) {
      ByteBuffer sent = room(size - 3);
      for (int i = 0; i < sent.limit(); i += 997) {
        sent.put(i, (byte) (i * 31));
      }
      mapping.write(3, sent);
      assertThat(sent.hasRemaining()).isFalse();
      ByteBuffer got = room(size - 3);
      mapping.read(3, got);
      assertThat(got.flip()).isEqualTo(sent.flip());
    }
  }

  @Test
  void nothingOutsideItIsTouched() throws IOException {
    try (DriverFile file = TestFiles.memory("outside", 4L * PAGE);
        DriverMapping mapping = DriverMapping.of(file, 0, PAGE)) {
      assertThatThrownBy(() -> mapping.write(PAGE - 1, bytes(1, 1)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> mapping.read(-1, room(1)))
          .isInstanceOf(IndexOutOfBoundsException.class);
      assertThatThrownBy(() -> mapping.read(Long.MAX_VALUE, room(1)))
          .isInstanceOf(IndexOutOfBoundsException.class);
    }
  }

  @Test
  void memoryThatIsTakenAwayFailsEveryCopyOfIt() throws IOException {
    int pages = 64;
    try (DriverFile file = TestFiles.memory("taken-away", (long) pages * PAGE);
        DriverMapping mapping = DriverMapping.of(file, 0, (long) pages * PAGE)) {
      ByteBuffer buffer = room(pages * PAGE);
      // Often enough that the copy is compiled code by then.
      for (int i = 0; i < 3000; i++) {
        mapping.read(0, buffer.clear().limit(PAGE));
      }
      TestFiles.resize(file, PAGE);
      for (int i = 0; i < 500; i++) {
        assertThatThrownBy(() -> mapping.read(0, buffer.clear()))
            .isInstanceOf(IOException.class)
            .hasMessageContaining("the driver took away memory");
        assertThatThrownBy(() -> mapping.write(PAGE, buffer.clear().limit(8)))
            .isInstanceOf(IOException.class)
            .hasMessageContaining("the driver took away memory");
        mapping.read(0, buffer.clear().limit(PAGE));
      }
    }
  }

  @Test
  void whatTheDriverDoesNotMapIsRefused() {
    try (TestFiles.Pipe pipe = TestFiles.pipe()) {
      assertThatThrownBy(() -> DriverMapping.of(pipe.reading(), 0, PAGE))
          .isInstanceOf(ErrnoException.class)
          .hasMessageContaining("mmap of " + PAGE + " bytes at 0 failed");
    }
  }

  @Test
  void theCloseUnmapsIt() throws IOException {
    String name = "unmapped-at-the-close";
    DriverFile file = TestFiles.memory(name, PAGE);
    DriverMapping mapping = DriverMapping.of(file, 0, PAGE);
    file.close();
    mapping.read(0, room(1));
    assertThat(mapped(name)).isTrue();
    mapping.close();
    mapping.close();
    assertThat(mapped(name)).isFalse();
    assertThatThrownBy(() -> mapping.read(0, room(1)))
        .hasMessage("copy of a mapping after it was closed here failed: EBADF (9)");
  }

  private static boolean mapped(String name) throws IOException {
    return Files.readString(Path.of("/proc/self/maps")).contains("memfd:" + name);
  }
}
