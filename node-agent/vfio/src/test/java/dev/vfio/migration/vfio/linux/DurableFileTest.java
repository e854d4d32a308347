package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DurableFileTest {
  private static final byte[] CONTENT =
      "{\"stage\":\"TOLD\",\"process\":4711}".getBytes(StandardCharsets.UTF_8);

  @TempDir Path folder;

  @Test
  void whatWasWrittenIsReadAndIsForItsOwnerAlone() throws Exception {
    Path file = folder.resolve("record");
    DurableFile.write(file, new byte[] {1});
    DurableFile.write(file, CONTENT);
    assertThat(DurableFile.read(file)).isEqualTo(CONTENT);
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
        .isEqualTo("rw-------");
    assertThat(file).content().startsWith("{\"stage\":\"TOLD\"");
  }

  @Test
  void whatIsNotThereIsNotDamaged() {
    assertThatThrownBy(() -> DurableFile.read(folder.resolve("record")))
        .isInstanceOf(NoSuchFileException.class);
  }

  @Test
  void whatAnEarlierVersionWroteIsRead() throws Exception {
    Path file = Files.write(folder.resolve("record"), CONTENT);
    assertThat(DurableFile.read(file)).isEqualTo(CONTENT);
  }

  @Test
  void everyFlippedBitAndEveryLostTailIsSeen() throws Exception {
    Path file = folder.resolve("record");
    DurableFile.write(file, CONTENT);
    byte[] whole = Files.readAllBytes(file);
    for (int at = 0; at < whole.length; at++) {
      for (int bit = 0; bit < Byte.SIZE; bit++) {
        byte[] flipped = whole.clone();
        flipped[at] ^= (byte) (1 << bit);
        requireDamaged(file, flipped);
      }
      byte[] torn = Arrays.copyOf(whole, at);
      if (at > CONTENT.length + "\n".length()) {
        requireDamaged(file, torn);
      } else {
        // As of an earlier version: it is for its form to show that something is missing.
        Files.write(file, torn);
        assertThat(torn).startsWith(DurableFile.read(file));
      }
    }
    requireDamaged(file, Arrays.copyOf(whole, whole.length + 1));
  }

  private static void requireDamaged(Path file, byte[] bytes) throws Exception {
    Files.write(file, bytes);
    assertThatThrownBy(() -> DurableFile.read(file))
        .isInstanceOf(DurableFile.DamagedException.class)
        .hasMessageContaining(file + " is damaged");
  }
}
