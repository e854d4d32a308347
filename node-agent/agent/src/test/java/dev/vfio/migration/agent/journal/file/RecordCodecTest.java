package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An entry that lacks what it is about is none, be its checksum right. */
class RecordCodecTest {

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{}",
        "null",
        "{\"entry\":\"SourceStarted\"}",
        "{\"entry\":\"SourceStarted\",\"spec\":null}",
        "{\"entry\":\"SourceStarted\",\"spec\":{}}",
        "{\"entry\":\"SwitchingOver\"}",
        "{\"entry\":\"EndAllowed\"}",
        "{\"entry\":\"Prepared\"}",
        "{\"entry\":\"Prepared\",\"spec\":{\"device\":\"gpu-0\"}}",
        "{\"entry\":\"Loaded\"}",
        "{\"entry\":\"Comitted\"}",
      })
  void anEntryThatIsNotWholeIsAnError(String text) {
    assertThatThrownBy(() -> RecordCodec.decode(text.getBytes(StandardCharsets.UTF_8)))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("not an entry that this version knows");
  }

  /** Its session waits for a person, and the agent starts all the same. */
  @Test
  void aJournalWhoseFirstEntrySaysNothingIsDamaged() throws IOException {
    byte[] entry = "{\"entry\":\"SourceStarted\"}\n".getBytes(StandardCharsets.UTF_8);
    JournalReader.Reading reading =
        JournalReader.read(
            new SessionKey("u", 1),
            Role.SOURCE,
            JournalImage.read(JournalImage.of(List.of(entry))));
    assertThat(reading.usable()).isFalse();
    assertThat(reading.damage()).contains("entry 1");
  }
}
