package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SessionRecord;
import java.io.IOException;
import java.util.List;

/** What a journal makes of an entry. */
public final class JournalledForTests {
  private JournalledForTests() {}

  /** The entry fits into a journal, and is read again as it was. */
  public static void requireKept(SessionRecord entry) throws IOException {
    byte[] payload = RecordCodec.encode(entry);
    JournalImage.Contents contents = JournalImage.read(JournalImage.of(List.of(payload)));
    assertThat(contents.damage()).isNull();
    assertThat(RecordCodec.decode(contents.entries().get(0))).isEqualTo(entry);
  }
}
