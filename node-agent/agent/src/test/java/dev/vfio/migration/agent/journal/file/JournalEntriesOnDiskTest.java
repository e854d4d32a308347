package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;

/**
 * The bytes of each journal entry never change: an agent goes on from the journal of the release
 * before it. The file beside this test holds one line for each entry of {@link #ENTRIES}.
 */
class JournalEntriesOnDiskTest {
  private static final Progress PROGRESS =
      new Progress(new PendingBytes(1, 2, 3), 4, 5, 6, 7, 8, 9, 10, 11, true);
  private static final Failure FAILURE = new Failure(Reason.TRANSITION_FAILED, "it refused", 5);
  private static final List<WindowSpec> WINDOWS = List.of(new WindowSpec("ram", 0x1000, 0x2000));

  private static final List<SessionRecord> ENTRIES =
      List.of(
          new SessionRecord.EntriesLost("entry 2 is cut short"),
          new SessionRecord.SourceStarted(
              new SourceSpec(
                  new SessionKey("uid-1", 2),
                  "space/name",
                  "gpu-0",
                  "node-b",
                  "10.0.0.2",
                  7201,
                  Mode.LIVE,
                  3,
                  4096,
                  65536,
                  WINDOWS)),
          new SessionRecord.SwitchingOver(1_700_000_000_000_000_001L),
          new SessionRecord.EndAllowed(PROGRESS),
          new SessionRecord.Committed(),
          new SessionRecord.Completed(),
          new SessionRecord.Completed(FAILURE),
          new SessionRecord.RollingBack(true, null),
          new SessionRecord.RollingBack(false, FAILURE),
          new SessionRecord.RolledBack(FAILURE, PROGRESS, DeviceState.RUNNING),
          new SessionRecord.Prepared(
              new DestinationSpec(
                  new SessionKey("uid-1", 2),
                  "space/name",
                  "gpu-1",
                  "node-a",
                  new DeviceDescription(
                      "vfio-user:gpu-0", MigrationInterface.REGION_V1, "gpu", 7, true, false, 4096),
                  WINDOWS,
                  3)),
          new SessionRecord.Loaded(1_700_000_000_000_000_002L, PROGRESS),
          new SessionRecord.Activating(),
          new SessionRecord.StateLost(FAILURE, true),
          new SessionRecord.Active(PROGRESS),
          new SessionRecord.Discarding(FAILURE),
          new SessionRecord.Discarded(FAILURE, null));

  @Test
  void eachEntryIsWrittenAsEarlierReleasesWroteIt() throws IOException {
    StringBuilder written = new StringBuilder();
    for (SessionRecord entry : ENTRIES) {
      written.append(new String(RecordCodec.encode(entry), StandardCharsets.UTF_8));
    }
    assertThat(written.toString()).isEqualTo(String.join("\n", lines()) + "\n");
  }

  /** Then it is not certain, and the source is not taken back. */
  @Test
  void whatIsLostByTheEntryOfAnEarlierReleaseMayHaveBeenTaken() throws IOException {
    String before =
        "{\"entry\":\"StateLost\",\"failure\":{\"reason\":\"TRANSITION_FAILED\","
            + "\"message\":\"it refused\",\"errno\":5}}";
    assertThat(RecordCodec.decode(before.getBytes(StandardCharsets.UTF_8)))
        .isEqualTo(new SessionRecord.StateLost(FAILURE, null));
  }

  @Test
  void eachEntryIsReadAsEarlierReleasesWroteIt() throws IOException {
    List<String> lines = lines();
    assertThat(lines).hasSameSizeAs(ENTRIES);
    for (int i = 0; i < lines.size(); i++) {
      assertThat(RecordCodec.decode(lines.get(i).getBytes(StandardCharsets.UTF_8)))
          .isEqualTo(ENTRIES.get(i));
    }
  }

  @Test
  void noEntryIsMissingHere() {
    assertThat(ENTRIES.stream().map(EntryName::of).distinct())
        .containsExactlyInAnyOrder(EntryName.values());
  }

  private static List<String> lines() throws IOException {
    try (InputStream file =
        JournalEntriesOnDiskTest.class.getResourceAsStream("journal-entries.txt")) {
      return new String(file.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
  }
}
