package dev.vfio.migration.sandbox.devices;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A state moves from one device to another, with what may come between the steps. */
class StateMoveTest {
  private static final String SMALL =
      "--state-size 3MiB --memory-size 1MiB --dirty-rate 32MiB/s --mmap off";

  @Test
  void aRunningWorkloadMovesWithEveryStepDoneOnce() throws IOException {
    try (LiveDevice source = LiveDevice.start("node-a", "running", SMALL);
        LiveDevice target = LiveDevice.start("node-b", "waiting", SMALL);
        StateMove move = new StateMove(source.directory(), target.directory())) {
      source.awaitStep(20);
      move.prepare();
      move.precopy(256 << 10);
      move.pause();
      long stoppedAt = source.device().device().stepNumber();
      move.stopAndCopy();
      move.commit();
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
    String options =
        "--state-size %s --memory-size %s --chunk-size %s --dirty-rate 1MiB/s --mmap %s"
            .formatted(state, memory, chunk, mmap);
    try (LiveDevice source = LiveDevice.start("node-a", "running", options);
        LiveDevice target = LiveDevice.start("node-b", "waiting", options);
        StateMove move = new StateMove(source.directory(), target.directory())) {
      move.run(64 << 10);
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  @Test
  void aSmallerDestinationRegionTakesAChunkInPieces() throws IOException {
    try (LiveDevice source =
            LiveDevice.start("node-a", "running", "--state-size 1MiB --chunk-size 256KiB");
        LiveDevice target =
            LiveDevice.start(
                "node-b", "waiting", "--state-size 1MiB --chunk-size 7001 --mmap off");
        StateMove move = new StateMove(source.directory(), target.directory())) {
      move.run(64 << 10);
      assertThat(move.chunkSizes).anyMatch(size -> size > 7001);
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  @Test
  void aWindowLargerThanABitmapIsReportedInTurns() throws IOException {
    try (LiveDevice source =
            LiveDevice.start(
                "node-a", "running", "--state-size 64KiB --memory-size 4MiB --bitmap-pages 128");
        LiveDevice target =
            LiveDevice.start("node-b", "waiting", "--state-size 64KiB --memory-size 4MiB");
        StateMove move = new StateMove(source.directory(), target.directory())) {
      move.prepare();
      long stepAtSetup = source.device().device().stepNumber();
      move.copyWindows(false);
      source.awaitStep(stepAtSetup + 50);
      move.copyWindows(true);
      assertThat(move.bitmapReads()).isGreaterThan(1);
      move.precopy(4096);
      move.pause();
      move.stopAndCopy();
      move.commit();
      assertThat(target.await("continuity", it -> true)).containsEntry("result", "ok");
    }
  }

  @Test
  void whatMovedCanMoveBackAfterAReset() throws IOException {
    try (LiveDevice first = LiveDevice.start("node-a", "running", SMALL);
        LiveDevice second = LiveDevice.start("node-b", "waiting", SMALL)) {
      try (StateMove there = new StateMove(first.directory(), second.directory())) {
        there.run(256 << 10);
        assertThat(there.source.reset().errno()).isZero();
      }
      long step = second.device().device().stepNumber();
      try (StateMove back = new StateMove(second.directory(), first.directory())) {
        back.run(256 << 10);
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
        StateMove move = new StateMove(source.directory(), target.directory())) {
      move.prepare();
      move.precopy(256 << 10);
      assertThat(move.source.setState(StateMove.CANCELLED)).isZero();
      assertThat(move.source.setState(StateMove.RUNNING)).isZero();
      assertThat(move.destination.setState(StateMove.FAILED)).isZero();
      assertThat(move.destination.reset().errno()).isZero();
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
                "node-b", "waiting", SMALL + " --fault fail-transition=RESUME_COMPLETED:5");
        StateMove move = new StateMove(source.directory(), target.directory())) {
      move.prepare();
      move.precopy(256 << 10);
      move.pause();
      long stoppedAt = source.device().device().stepNumber();
      move.stopAndCopy();
      assertThat(move.destination.setState(StateMove.RESUME_COMPLETED)).isEqualTo(5);
      assertThat(move.destination.setState(StateMove.FAILED)).isZero();
      assertThat(move.source.setState(StateMove.FAILED)).isZero();
      assertThat(move.sourceWorkload.ask("{'op':'resume','migration':'test/1'}"))
          .containsEntry("ok", false)
          .containsEntry("errno", 16);
      assertThat(move.source.setState(StateMove.RUNNING)).isZero();
      assertThat(move.sourceWorkload.ask("{'op':'resume','migration':'test/1'}"))
          .containsEntry("ok", true);
      source.awaitStep(stoppedAt + 20);
      assertThat(source.await("continuity", it -> true)).containsEntry("result", "ok");
      assertThat(target.device().workload().state().notation()).isEqualTo("waiting");
    }
  }
}
