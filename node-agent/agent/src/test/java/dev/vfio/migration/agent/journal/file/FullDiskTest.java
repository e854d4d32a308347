package dev.vfio.migration.agent.journal.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.journal.JournalWriteException;
import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Progress;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.vfio.linux.DiskRoom;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A real disk that is full: it is found out before a device is touched, and never in the pause. */
@Timeout(60)
class FullDiskTest {
  private static final SessionKey KEY = new SessionKey("8d1f-4c", 2);
  private static final SessionRecord STARTED =
      new SessionRecord.SourceStarted(
          new SourceSpec(
              KEY,
              "default/m",
              "gpu-0",
              "node-b",
              "10.0.0.2",
              9444,
              Mode.LIVE,
              1,
              0,
              7,
              List.of()));

  @TempDir Path folder;
  private Path disk;
  private JournalDirectory journals;

  @BeforeEach
  void mount() throws Exception {
    disk = Files.createDirectory(folder.resolve("disk"));
    Assumptions.assumeTrue(
        run("mount", "-t", "tmpfs", "-o", "size=1m", "none", disk.toString()) == 0,
        "skipped: nothing can be mounted here");
    journals = new JournalDirectory(disk);
  }

  @AfterEach
  void unmount() throws Exception {
    if (journals != null) {
      journals.close();
      assertThat(run("umount", disk.toString())).isZero();
    }
  }

  private static int run(String... command) throws Exception {
    Process process =
        new ProcessBuilder(command)
            .redirectErrorStream(true)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return process.exitValue();
  }

  private void fill(long left) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            disk.resolve("filler"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      ByteBuffer page = ByteBuffer.allocate(4096);
      while (Files.getFileStore(disk).getUsableSpace() > left) {
        channel.write(page.clear());
      }
    }
  }

  @Test
  void aJournalThatWasBegunFindsRoomForItsEntriesOnAFullDisk() throws IOException {
    SessionJournal journal = journals.create(KEY, Role.SOURCE);
    journal.append(STARTED);
    fill(0);
    for (int i = 0; i < 20; i++) {
      journal.append(new SessionRecord.SwitchingOver(i));
      journal.append(new SessionRecord.EndAllowed(Progress.NONE));
    }
    journal.close();
    assertThat(journals.recover()).hasSize(1);
    assertThat(journals.recover().get(0).records()).hasSize(41);
    assertThat(journals.recover().get(0).damage()).isNull();
  }

  @Test
  void noSessionBeginsWhereThereIsNoRoomForAllOfItsEntries() throws IOException {
    fill(16 << 10);
    assertThatThrownBy(() -> journals.create(KEY, Role.SOURCE).append(STARTED))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("ENOSPC (28)")
        .hasMessageContaining("taking room for");
    try (var files = Files.newDirectoryStream(disk, "*.journal*")) {
      assertThat(files).isEmpty();
    }
  }

  @Test
  void whatIsNotedInThePauseIsKnownToFindRoomBefore() throws IOException {
    DiskRoom.require(disk);
    fill(16 << 10);
    assertThatThrownBy(() -> DiskRoom.require(disk))
        .hasMessageContaining("has 16384 bytes left, and 65536 are needed");
  }

  /** And goes on by itself once there is room. */
  @Test
  void whoIsRefusedIsToldTheDirectoryTheErrnoAndWhatToDo() throws IOException {
    FencingFile number = new FencingFile(disk);
    number.write(6);
    fill(0);
    for (ThrowingCallable refused :
        List.<ThrowingCallable>of(
            () -> journals.create(KEY, Role.SOURCE).append(STARTED),
            () -> number.write(7),
            () -> journals.probe())) {
      assertThatThrownBy(refused)
          .isInstanceOf(JournalWriteException.class)
          .hasMessageContaining("in the directory " + disk + " cannot be written, ENOSPC (28)")
          .hasMessageContaining("Make room on the disk of " + disk);
    }
    assertThat(number.read()).as("nothing is lost").isEqualTo(6);
    Files.delete(disk.resolve("filler"));
    journals.probe();
    number.write(7);
    assertThat(number.read()).isEqualTo(7);
    SessionJournal journal = journals.create(KEY, Role.SOURCE);
    journal.append(STARTED);
    journal.close();
    assertThat(journals.recover().get(0).records()).containsExactly(STARTED);
  }
}
