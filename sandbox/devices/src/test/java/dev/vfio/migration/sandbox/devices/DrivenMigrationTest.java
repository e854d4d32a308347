package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DrivenMigrationTest {
  private static final String[] SMALL = {
    "--state-size", "3MiB", "--memory-size", "1MiB", "--dirty-rate", "32MiB/s", "--mmap", "off"
  };

  @Test
  void aRunningWorkloadMovesWithEveryStepDoneOnce() throws IOException {
    try (LiveDevice source = LiveDevice.start("node-a", "running", SMALL);
        LiveDevice target = LiveDevice.start("node-b", "waiting", SMALL);
        DrivenMigration migration = new DrivenMigration(source.directory(), target.directory())) {
      source.awaitStep(20);
      migration.prepare();
      migration.precopy(256 << 10);
      migration.pause();
      long stoppedAt = source.device().device().stepNumber();
      migration.stopAndCopy();
      migration.commit();
      target.awaitStep(stoppedAt + 20);

      Map<String, Object> found = target.await("continuity", it -> true);
      assertThat(found).containsEntry("result", "ok");
      assertThat(((Number) found.get("steps")).longValue()).isEqualTo(stoppedAt);
      assertThat(found).containsEntry("pages", 3 * 256 + 256);
      assertThat(source.device().device().stepNumber()).isEqualTo(stoppedAt);
      assertThat(source.events("violation")).isEmpty();
      assertThat(source.events("rejected")).isEmpty();
      assertThat(target.events("rejected")).isEmpty();
      try (LineClient console = target.console()) {
        assertThat(console.ask("{'op':'verify'}")).containsEntry("continuity", "ok");
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1KiB,0,64KiB,off", "4104,64KiB,1MiB,on", "1MiB,4MiB,8KiB,on", "5MiB,1MiB,5000,off"})
  void itMovesWhateverTheSizes(String state, String memory, String chunk, String mmap)
      throws IOException {
    String[] options = {
      "--state-size",
      state,
      "--memory-size",
      memory,
      "--chunk-size",
      chunk,
      "--dirty-rate",
      "1MiB/s",
      "--mmap",
      mmap
    };
    try (LiveDevice source = LiveDevice.start("node-a", "running", options);
        LiveDevice target = LiveDevice.start("node-b", "waiting", options);
        DrivenMigration migration = new DrivenMigration(source.directory(), target.directory())) {
      migration.prepare();
      migration.precopy(64 << 10);
      migration.pause();
      migration.stopAndCopy();
      migration.commit();
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  @Test
  void aSmallerDestinationRegionTakesAChunkInPieces() throws IOException {
    try (LiveDevice source =
            LiveDevice.start(
                "node-a", "running", "--state-size", "1MiB", "--chunk-size", "256KiB");
        LiveDevice target =
            LiveDevice.start(
                "node-b",
                "waiting",
                "--state-size",
                "1MiB",
                "--chunk-size",
                "7001",
                "--mmap",
                "off");
        DrivenMigration migration = new DrivenMigration(source.directory(), target.directory())) {
      migration.prepare();
      migration.precopy(64 << 10);
      migration.pause();
      migration.stopAndCopy();
      migration.commit();
      assertThat(migration.chunkSizes).anyMatch(size -> size > 7001);
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  @Test
  void aWindowLargerThanABitmapIsReportedInTurns() throws IOException {
    try (LiveDevice source =
            LiveDevice.start(
                "node-a",
                "running",
                "--state-size",
                "64KiB",
                "--memory-size",
                "4MiB",
                "--bitmap-pages",
                "128");
        LiveDevice target =
            LiveDevice.start(
                "node-b", "waiting", "--state-size", "64KiB", "--memory-size", "4MiB");
        DrivenMigration migration = new DrivenMigration(source.directory(), target.directory())) {
      migration.prepare();
      long stepAtSetup = source.device().device().stepNumber();
      migration.copyWindows(false);
      source.awaitStep(stepAtSetup + 50);
      migration.copyWindows(true);
      assertThat(migration.bitmapReads()).isGreaterThan(1);
      migration.precopy(4096);
      migration.pause();
      migration.stopAndCopy();
      migration.commit();
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  @Test
  void whatMovedCanMoveBackAfterAReset() throws IOException {
    try (LiveDevice first = LiveDevice.start("node-a", "running", SMALL);
        LiveDevice second = LiveDevice.start("node-b", "waiting", SMALL)) {
      try (DrivenMigration there = new DrivenMigration(first.directory(), second.directory())) {
        there.prepare();
        there.precopy(256 << 10);
        there.pause();
        there.stopAndCopy();
        there.commit();
        assertThat(there.source.reset().errno()).isZero();
      }
      long step = second.device().device().stepNumber();
      try (DrivenMigration back = new DrivenMigration(second.directory(), first.directory())) {
        back.prepare();
        back.precopy(256 << 10);
        back.pause();
        back.stopAndCopy();
        back.commit();
      }
      Map<String, Object> found = first.await("continuity", it -> true);
      assertThat(found).containsEntry("result", "ok");
      assertThat(((Number) found.get("steps")).longValue()).isGreaterThanOrEqualTo(step);
    }
  }

  @Test
  void afterACancelInPrecopyTheWorkloadHasNotMissedAStep() throws IOException {
    try (LiveDevice source = LiveDevice.start("node-a", "running", SMALL);
        LiveDevice target = LiveDevice.start("node-b", "waiting", SMALL);
        DrivenMigration migration = new DrivenMigration(source.directory(), target.directory())) {
      migration.prepare();
      migration.precopy(256 << 10);
      assertThat(migration.source.setState(DrivenMigration.CANCELLED)).isZero();
      assertThat(migration.source.setState(DrivenMigration.RUNNING)).isZero();
      assertThat(migration.destination.setState(DrivenMigration.FAILED)).isZero();
      assertThat(migration.destination.reset().errno()).isZero();
      source.awaitStep(source.device().device().stepNumber() + 20);
      try (LineClient console = source.console()) {
        assertThat(console.ask("{'op':'verify'}")).containsEntry("continuity", "ok");
      }
      assertThat(source.events("violation")).isEmpty();
    }
  }

  @Test
  void afterAFailedResumeTheSourceGoesOnWhereItStopped() throws IOException {
    try (LiveDevice source = LiveDevice.start("node-a", "running", SMALL);
        LiveDevice target =
            LiveDevice.start(
                "node-b", "waiting", with(SMALL, "--fault", "fail-transition=RESUME_COMPLETED:5"));
        DrivenMigration migration = new DrivenMigration(source.directory(), target.directory())) {
      migration.prepare();
      migration.precopy(256 << 10);
      migration.pause();
      long stoppedAt = source.device().device().stepNumber();
      migration.stopAndCopy();
      assertThat(migration.destination.setState(DrivenMigration.RESUME_COMPLETED)).isEqualTo(5);
      assertThat(migration.destination.setState(DrivenMigration.FAILED)).isZero();
      assertThat(migration.source.setState(DrivenMigration.FAILED)).isZero();
      assertThat(migration.sourceWorkload.ask("{'op':'resume','migration':'test/1'}"))
          .containsEntry("ok", false)
          .containsEntry("errno", 16);
      assertThat(migration.source.setState(DrivenMigration.RUNNING)).isZero();
      assertThat(migration.sourceWorkload.ask("{'op':'resume','migration':'test/1'}"))
          .containsEntry("ok", true);
      source.awaitStep(stoppedAt + 20);
      assertThat(source.await("continuity", it -> true)).containsEntry("result", "ok");
      assertThat(target.device().workload().state().notation()).isEqualTo("waiting");
    }
  }

  static String[] with(String[] options, String... more) {
    String[] all = Arrays.copyOf(options, options.length + more.length);
    System.arraycopy(more, 0, all, options.length, more.length);
    return all;
  }
}
