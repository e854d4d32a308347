package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;

/** A journal with any bytes in it is read, and what it says is never more than what is whole. */
class JournalFuzzTest {

  @FuzzTest(maxDuration = "1h")
  void anyFileIsReadAsFarAsItIsWhole(byte[] file) throws IOException {
    JournalImage.Contents contents = JournalImage.read(file);
    assertThat(contents.end()).isBetween(0, file.length);
    if (!contents.entries().isEmpty()) {
      JournalImage.Contents again = JournalImage.read(JournalImage.of(contents.entries()));
      assertThat(again.damage()).isNull();
      assertThat(again.entries())
          .usingElementComparator(Arrays::compare)
          .isEqualTo(contents.entries());
    }
    reading(contents);
  }

  /** The checksums are made right, so that what is inside is reached. */
  @FuzzTest(maxDuration = "1h")
  void anyEntryIsUsableOrDamaged(byte[] payload) throws IOException {
    if (payload.length > 0) {
      reading(JournalImage.read(JournalImage.of(List.of(payload))));
    }
  }

  @FuzzTest(maxDuration = "1h")
  void anEntryThatIsReadIsWrittenAndReadAgain(byte[] payload) throws IOException {
    SessionRecord record;
    try {
      record = RecordCodec.decode(payload);
    } catch (IOException unknown) {
      assertThat(unknown).hasMessageContaining("not an entry that this version knows");
      return;
    }
    assertThat(RecordCodec.decode(RecordCodec.encode(record))).isEqualTo(record);
  }

  private static void reading(JournalImage.Contents contents) {
    JournalReader.Reading reading =
        JournalReader.read(new SessionKey("u", 1), Role.SOURCE, contents);
    assertThat(reading.usable() || reading.damage() != null).isTrue();
  }
}
