package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.journal.SessionJournals.Found;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowSpec;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DriverProfile;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
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
            new SessionRecord.StateLost(FAILURE, true),
            new SessionRecord.Active(Progress.NONE),
            new SessionRecord.EntriesLost("damage"),
            new SessionRecord.Discarding(FAILURE),
            new SessionRecord.Discarded(FAILURE, FAILURE));
    assertThat(records).as("every kind of entry there is").hasSize(EntryName.values().length);
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
  void nobodyElseReadsWhatIsJournalled() throws IOException {
    Files.setPosixFilePermissions(directory, PosixFilePermissions.fromString("rwxr-xr-x"));
    write(SOURCE_RECORDS.subList(0, 2));
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory)))
        .isEqualTo("rwx------");
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file())))
        .isEqualTo("rw-------");
  }

  @Test
  void anOddlyNamedFileStopsNobody() throws IOException {
    write(SOURCE_RECORDS);
    Path odd = Files.writeString(directory.resolve("copy of 8d1f.journal"), "notes");
    Path attempt = Files.writeString(directory.resolve("8d1f.0.source.journal"), "");
    Path older = Files.writeString(directory.resolve("8d1f.2.source.journal.damaged"), "kept");
    assertThat(recover()).extracting(Found::key).containsExactly(KEY);
    assertThat(odd).exists();
    assertThat(attempt).exists();
    assertThat(older).exists();
  }

  @Test
  void aJournalThatCannotBeReadConcernsItsOwnSessionOnly() throws IOException {
    write(SOURCE_RECORDS);
    Files.createDirectory(directory.resolve("other.1.destination.journal"));
    Files.createSymbolicLink(directory.resolve("third.1.source.journal"), file());
    List<Found> found = recover();
    assertThat(found).hasSize(3);
    assertThat(found.get(0).damage()).isNull();
    for (Found unreadable : found.subList(1, 3)) {
      assertThat(unreadable.journal()).isNull();
      assertThat(unreadable.damage()).contains("cannot be read", "not a regular file");
    }
  }

  @Test
  void theFencingNumberOutlivesTheAgentAndIsUnsigned() throws IOException {
    assertThat(new FencingFile(directory).read()).isZero();
    new FencingFile(directory).write(-1L);
    assertThat(new FencingFile(directory).read()).isEqualTo(-1L);
  }

  /** A lower number would let a leader that was deposed command this agent again. */
  @Test
  void noDamageLowersTheFencingNumber() throws IOException {
    Path file = directory.resolve("fencing-number");
    new FencingFile(directory).write(1234);
    byte[] whole = Files.readAllBytes(file);
    for (int at = 0; at < whole.length; at++) {
      byte[] flipped = whole.clone();
      flipped[at] ^= 1;
      Files.write(file, flipped);
      assertThatThrownBy(() -> new FencingFile(directory).read())
          .isInstanceOf(IOException.class)
          .hasMessageContaining(file.toString())
          .hasMessageContaining("remove the file");
      Files.write(file, Arrays.copyOf(whole, at));
      if (at == "1234\n".length()) {
        assertThat(new FencingFile(directory).read()).as("an earlier version's").isEqualTo(1234);
      } else {
        assertThatThrownBy(() -> new FencingFile(directory).read()).isInstanceOf(IOException.class);
      }
    }
  }
}
