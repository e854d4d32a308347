package dev.vfio.migration.agent.journal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.session.DestinationSpec;
import dev.vfio.migration.agent.session.Failure;
import dev.vfio.migration.agent.session.Mode;
import dev.vfio.migration.agent.session.Progress;
import dev.vfio.migration.agent.session.Reason;
import dev.vfio.migration.agent.session.Role;
import dev.vfio.migration.agent.session.SessionJournal;
import dev.vfio.migration.agent.session.SessionJournals.Found;
import dev.vfio.migration.agent.session.SessionKey;
import dev.vfio.migration.agent.session.SessionRecord;
import dev.vfio.migration.agent.session.SourceSpec;
import dev.vfio.migration.agent.session.WindowSpec;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JournalDirectoryTest {
  private static final SessionKey KEY = new SessionKey("8d1f-4c", 2);
  private static final SourceSpec SOURCE =
      new SourceSpec(
          KEY,
          "default/m",
          "vfio-user:gpu-0",
          "node-b",
          "10.0.0.2",
          9444,
          Mode.LIVE,
          1,
          0,
          7,
          List.of(new WindowSpec("ring", 1L << 40, 8192)));
  private static final Failure FAILURE = new Failure(Reason.STREAM_BROKEN, "cut \"here\"\n", 104);
  private static final List<SessionRecord> SOURCE_RECORDS =
      List.of(
          new SessionRecord.SourceStarted(SOURCE),
          new SessionRecord.SwitchingOver(42),
          new SessionRecord.EndAllowed(Progress.NONE),
          new SessionRecord.RollingBack(true, FAILURE),
          new SessionRecord.RolledBack(null, Progress.NONE));

  @TempDir Path directory;

  private Path file() {
    return directory.resolve("8d1f-4c.2.source.journal");
  }

  private void write(List<SessionRecord> records) throws IOException {
    try (JournalDirectory journals = new JournalDirectory(directory);
        SessionJournal journal = journals.create(KEY, Role.SOURCE)) {
      for (SessionRecord record : records) {
        journal.append(record);
      }
    }
  }

  private List<Found> recover() throws IOException {
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      return journals.recover();
    }
  }

  @Test
  void whatWasAppendedIsFoundAgainInOrder() throws IOException {
    write(SOURCE_RECORDS);
    List<Found> found = recover();
    assertThat(found).hasSize(1);
    assertThat(found.get(0).key()).isEqualTo(KEY);
    assertThat(found.get(0).role()).isEqualTo(Role.SOURCE);
    assertThat(found.get(0).damage()).isNull();
    assertThat(found.get(0).records()).isEqualTo(SOURCE_RECORDS);
  }

  @Test
  void everyEntrySurvivesItsWayToDisk() throws IOException {
    DestinationSpec destination =
        new DestinationSpec(
            KEY,
            "default/m",
            "vfio-user:gpu-0",
            "node-a",
            new DeviceDescription(
                "0000:65:00.1",
                MigrationInterface.FEATURE_V2,
                "m",
                0,
                true,
                false,
                4096,
                new DriverProfile("mlx5", "", Set.of(MigrationFlag.P2P), "2")),
            List.of(new WindowSpec("ring", 1L << 40, 8192)),
            2);
    List<SessionRecord> records =
        List.of(
            new SessionRecord.SourceStarted(SOURCE),
            new SessionRecord.SwitchingOver(Long.MAX_VALUE),
            new SessionRecord.EndAllowed(Progress.NONE),
            new SessionRecord.Committed(),
            new SessionRecord.Completed(),
            new SessionRecord.RollingBack(false, FAILURE),
            new SessionRecord.RolledBack(FAILURE, Progress.NONE),
            new SessionRecord.Prepared(destination),
            new SessionRecord.Loaded(5, Progress.NONE),
            new SessionRecord.Activating(),
            new SessionRecord.StateLost(FAILURE),
            new SessionRecord.Active(Progress.NONE),
            new SessionRecord.Discarding(FAILURE),
            new SessionRecord.Discarded(FAILURE, FAILURE));
    assertThat(records)
        .as("every kind of entry there is")
        .hasSize(SessionRecord.class.getPermittedSubclasses().length);
    for (SessionRecord record : records) {
      assertThat(RecordCodec.decode(RecordCodec.encode(record))).isEqualTo(record);
    }
  }

  @Test
  void anEntryFromBeforeDevicesHadDriversIsRead() throws IOException {
    String entry =
        "{\"entry\":\"Prepared\",\"spec\":{\"key\":{\"uid\":\"m\",\"attempt\":1},"
            + "\"migrationName\":\"default/m\",\"device\":\"vfio-user:gpu-0\",\"sourceNode\":\"a\","
            + "\"sourceDevice\":{\"id\":\"vfio-user:gpu-0\",\"migrationInterface\":\"REGION_2018\","
            + "\"model\":\"m\",\"regionSize\":4096,\"precopy\":true,\"dirtyPageTracking\":false,"
            + "\"pageSize\":4096},\"sourceWindows\":[],\"streams\":1}}\n";
    SessionRecord.Prepared prepared =
        (SessionRecord.Prepared) RecordCodec.decode(entry.getBytes(StandardCharsets.UTF_8));
    assertThat(prepared.spec().sourceDevice().driver()).isEqualTo(DriverProfile.NONE);
  }

  @Test
  void aTornTailIsCutAtEveryByteAndTheJournalGoesOnBehindIt() throws IOException {
    write(SOURCE_RECORDS.subList(0, 2));
    byte[] whole = Files.readAllBytes(file());
    int lastEntry =
        whole.length - JournalFile.HEADER_BYTES - RecordCodec.encode(SOURCE_RECORDS.get(1)).length;
    for (int length = lastEntry; length < whole.length; length++) {
      Files.write(file(), Arrays.copyOf(whole, length));
      try (JournalDirectory journals = new JournalDirectory(directory)) {
        Found found = journals.recover().get(0);
        assertThat(found.damage()).isNull();
        assertThat(found.records()).isEqualTo(SOURCE_RECORDS.subList(0, 1));
        found.journal().append(SOURCE_RECORDS.get(3));
        found.journal().close();
      }
      assertThat(recover().get(0).records())
          .isEqualTo(List.of(SOURCE_RECORDS.get(0), SOURCE_RECORDS.get(3)));
    }
  }

  @Test
  void aTornFirstEntryMeansThatTheSessionNeverBegan() throws IOException {
    write(SOURCE_RECORDS.subList(0, 1));
    byte[] whole = Files.readAllBytes(file());
    Files.write(file(), Arrays.copyOf(whole, whole.length - 1));
    assertThat(recover()).isEmpty();
    assertThat(file()).doesNotExist();
  }

  @Test
  void aFlippedBitInTheMiddleIsDamageAndNamesTheFile() throws IOException {
    write(SOURCE_RECORDS);
    byte[] bytes = Files.readAllBytes(file());
    int second = JournalFile.HEADER_BYTES + RecordCodec.encode(SOURCE_RECORDS.get(0)).length;
    bytes[second + JournalFile.HEADER_BYTES + 3] ^= 1;
    Files.write(file(), bytes);
    Found found = recover().get(0);
    assertThat(found.damage()).contains(file().toString()).contains("byte " + second);
    assertThat(found.records()).isEqualTo(SOURCE_RECORDS.subList(0, 1));
    assertThat(found.journal()).isNull();
    assertThat(Files.readAllBytes(file())).as("is left as it was").isEqualTo(bytes);
  }

  @Test
  void anEntryOfALaterVersionIsDamageBecauseItMayBeAPointOfNoReturn() throws IOException {
    write(SOURCE_RECORDS.subList(0, 1));
    try (JournalFile journal = JournalFile.reopen(file(), JournalFile.read(file()))) {
      journal.append("{\"entry\":\"HandedOver\"}\n".getBytes());
    }
    assertThat(recover().get(0).damage()).contains("HandedOver");
  }

  @Test
  void twoAgentsNeverShareAJournalDirectory() throws IOException {
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      journals.probe();
      assertThatThrownBy(() -> new JournalDirectory(directory))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("another agent holds");
    }
    recover();
  }

  @Test
  void anEndedSessionsJournalTakesNoMoreAndIsRemovedWhenAsked() throws IOException {
    write(SOURCE_RECORDS);
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      journals.remove(KEY);
      assertThat(journals.recover()).isEmpty();
      SessionJournal journal = journals.create(KEY, Role.SOURCE);
      journal.append(SOURCE_RECORDS.get(0));
      journal.close();
      assertThatThrownBy(() -> journal.append(SOURCE_RECORDS.get(1)))
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void aSessionThatCannotBeJournalledLeavesNothingBehind() throws IOException {
    try (JournalDirectory journals = new JournalDirectory(directory)) {
      Files.createDirectory(file());
      assertThatThrownBy(() -> journals.create(KEY, Role.SOURCE).append(SOURCE_RECORDS.get(0)))
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void theFencingNumberOutlivesTheAgentAndIsUnsigned() throws IOException {
    assertThat(new FencingFile(directory).read()).isZero();
    new FencingFile(directory).write(-1L);
    assertThat(new FencingFile(directory).read()).isEqualTo(-1L);
    Files.writeString(directory.resolve("fencing-number"), "seven");
    assertThatThrownBy(() -> new FencingFile(directory).read())
        .isInstanceOf(IOException.class)
        .hasMessageContaining("seven");
  }
}
