package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rules of the source that no schedule of chance is sure to meet. */
class SourceMachineTest extends MachineDriver<SourceState, SourceEvent, SourceAction> {
  private static final long MIB = 1L << 20;
  private static final long WINDOWS = 16L << 30;

  SourceMachineTest() {
    super(new SourceMachine(Timings.USUAL)::step, SourceState.initial(spec(Mode.LIVE)));
    stepNanos = Duration.ofMillis(20).toNanos();
  }

  private static SourceSpec spec(Mode mode) {
    return new SourceSpec(
        new SessionKey("move", 1),
        "default/move",
        "vfio-user:gpu-0",
        "b",
        "host",
        9444,
        mode,
        1,
        0,
        0,
        List.of());
  }

  private void untilMapped(WorkloadState workload) {
    on(new Start(1));
    on(new Done());
    on(new Opened(DeviceState.RUNNING, true));
    on(new Mapped(WINDOWS, workload));
  }

  private void untilPrecopy() {
    untilMapped(WorkloadState.RUNNING);
    on(new Connected(state.epoch()));
    on(new Done());
    on(new Done());
  }

  @Test
  void aDeviceInNoneIsLedToRunningBeforeItsMigration() {
    on(new Start(1));
    on(new Done());
    on(new Opened(DeviceState.NONE, true));
    on(new Mapped(WINDOWS, WorkloadState.RUNNING));
    on(new Connected(state.epoch()));
    assertThat(actions).containsExactly(new Transition(DeviceState.RUNNING));
    on(new Done());
    assertThat(actions).containsExactly(new Transition(DeviceState.SETUP));
  }

  @Test
  void aDeviceThatRefusesSetupAndReportsNoStateIsLedToRunning() {
    on(new Start(1));
    on(new Done());
    on(new Opened(null, true));
    on(new Mapped(WINDOWS, WorkloadState.RUNNING));
    on(new Connected(state.epoch()));
    assertThat(actions).containsExactly(new Transition(DeviceState.SETUP));
    on(new SourceEvent.Failed(Failure.of(Reason.TRANSITION_FAILED, "refused")));
    assertThat(actions).containsExactly(new Transition(DeviceState.RUNNING));
    on(new Done());
    assertThat(actions).containsExactly(new Transition(DeviceState.SETUP));
    on(new SourceEvent.Failed(Failure.of(Reason.TRANSITION_FAILED, "refused")));
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
  }

  @Test
  void aDeviceThatIsInAMigrationStartsNoOther() {
    on(new Start(1));
    on(new Done());
    on(new Opened(DeviceState.RESUME_COMPLETED, true));
    assertThat(state.failure().message()).contains("RESUME_COMPLETED");
    assertThat(actions).noneMatch(Transition.class::isInstance);
  }

  private void goOn() {
    on(state.step() == CopyingStep.ROUND_REST ? new TimerFired(state.epoch()) : go());
  }

  private Continue go() {
    return new Continue(state.epoch());
  }

  private void round(long pending, long sent, long found) {
    on(new PendingRead(new PendingBytes(0, pending, 0)));
    on(new StateCopied(sent, true));
    on(new DirtyFound(found / 4096, found, found, found));
    on(go());
    on(new MemoryCopied(found, 0));
  }

  private void untilStopped(long pending) {
    untilPrecopy();
    round(pending, pending, WINDOWS);
    on(new SwitchOver(2));
    on(new Done());
    on(new Done());
    on(new Done());
    on(new Done());
    on(new PendingRead(new PendingBytes(0, pending, 0)));
    on(new DirtyFound(0, 0, 0, 0));
    on(go());
    on(new MemoryCopied(0, 0));
    assertThat(state.step()).isEqualTo(CopyingStep.LAST_STATE);
  }

  @Test
  void onlyADeviceInUseIsMoved() {
    untilMapped(WorkloadState.WAITING);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
    assertThat(state.failure().reason()).isEqualTo(Reason.DEVICE_BUSY);
    on(new Done());
    on(new Done());
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(state.device().touched()).isFalse();
  }

  @Test
  void precopyIsNotReportedBeforeTheDeviceSaidWhatIsPending() {
    untilPrecopy();
    assertThat(actions).containsExactly(new ReadPending(0));
    assertThat(state.snapshot().state()).isEqualTo(SessionState.SOURCE_STARTING);
    on(new PendingRead(new PendingBytes(0, 5 * MIB, 0)));
    assertThat(state.snapshot().state()).isEqualTo(SessionState.SOURCE_PRECOPY);
    assertThat(state.snapshot().progress().pending().total()).isEqualTo(5 * MIB);
  }

  /** Memory that is written faster than it is sent must never look as if it were all sent. */
  @Test
  void pendingMemoryIsNeverReportedBelowWhatTheLastLookFound() {
    untilPrecopy();
    for (int round = 0; round < 4; round++) {
      long found = round == 0 ? WINDOWS : WINDOWS / 2;
      round(0, 0, found);
      assertThat(state.progress().rounds()).isEqualTo(round + 1);
      assertThat(state.progress().memoryPending()).isEqualTo(found);
      goOn();
      on(new PendingRead(PendingBytes.NOTHING));
      on(new StateCopied(0, true));
      assertThat(state.progress().memoryPending()).isEqualTo(found);
      assertThat(state.progress().precopyExhausted()).isFalse();
      on(new DirtyFound(1, WINDOWS / 2, WINDOWS / 2, WINDOWS / 2));
      on(go());
      on(new MemoryCopied(WINDOWS / 4, WINDOWS / 4));
      assertThat(state.progress().memoryPending()).isEqualTo(WINDOWS / 2);
      // Back to the beginning of a round, as if this one had not been.
      state = state.at(CopyingStep.ROUND_PENDING);
    }
  }

  @Test
  void exhaustedIsSaidOnlyAfterALookAtDeviceAndMemory() {
    untilPrecopy();
    round(0, 0, WINDOWS);
    assertThat(state.progress().precopyExhausted()).isFalse();
    goOn();
    on(new PendingRead(PendingBytes.NOTHING));
    on(new StateCopied(0, true));
    assertThat(state.progress().precopyExhausted()).isFalse();
    on(new DirtyFound(0, 0, 0, 0));
    assertThat(state.progress().precopyExhausted()).isTrue();
    assertThat(state.progress().memoryPending()).isZero();
  }

  /**
   * Hands out state in STOPNCOPY, and says that so much is pending still whenever it is asked.
   *
   * @return bytes handed out until the device was given up, or that many
   */
  private long handOutWhileStopped(long most, long pending) {
    long sent = 0;
    while (state.state() == SessionState.SOURCE_STOPNCOPY && sent < most) {
      if (state.step() == CopyingStep.LAST_PENDING) {
        on(new PendingRead(new PendingBytes(0, 0, pending)));
      } else {
        on(new StateCopied(32 * MIB, false));
        sent += 32 * MIB;
      }
      if (state.step() == CopyingStep.LAST_STATE) {
        on(go());
      }
    }
    return sent;
  }

  @Test
  void aStoppedDeviceThatHandsOutStateWithoutAnEndIsGivenUp() {
    untilStopped(100 * MIB);
    assertThat(handOutWhileStopped(1024 * MIB, 100 * MIB)).isBetween(264 * MIB, 300 * MIB);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
    assertThat(state.failure().reason()).isEqualTo(Reason.DEVICE_NEVER_DRY);
    assertThat(state.failure().message()).contains(100 * MIB + " are pending still");
  }

  @Test
  void aStoppedDeviceThatHasMoreThanItEstimatedGoesOnWhileLessIsPending() {
    untilStopped(100 * MIB);
    assertThat(handOutWhileStopped(4096 * MIB, 10 * MIB)).isEqualTo(4096 * MIB);
    assertThat(state.failure()).isNull();
  }

  @Test
  void anEstimateOfNothingGivesNoDeviceUp() {
    for (long estimate : new long[] {0, 1, 16 << 10}) {
      state = SourceState.initial(spec(Mode.LIVE));
      untilStopped(estimate);
      assertThat(handOutWhileStopped(4096 * MIB, estimate)).isEqualTo(4096 * MIB);
      assertThat(state.failure()).as("its stream decides").isNull();
      on(new StateCopied(0, true));
      on(new PendingRead(PendingBytes.NOTHING));
      assertThat(state.step()).isEqualTo(CopyingStep.LAST_LOOK);
    }
  }

  @Test
  void aRoundOfADeviceThatNamesNoneGoesOnUntilItHasNothingNow() {
    untilPrecopy();
    on(new PendingRead(PendingBytes.NOTHING));
    for (int portion = 0; portion < 20; portion++) {
      on(new StateCopied(4 * MIB, false));
      assertThat(actions).hasOnlyElementsOfType(YieldToCommands.class);
      on(go());
    }
    on(new StateCopied(0, true));
    assertThat(actions).containsExactly(new CollectDirty(false));
  }

  @Test
  void aStoppedDeviceMayHandOutMoreThanItNamed() {
    untilStopped(100 * MIB);
    on(new StateCopied(250 * MIB, true));
    on(new PendingRead(PendingBytes.NOTHING));
    assertThat(state.step()).isEqualTo(CopyingStep.LAST_LOOK);
  }

  /** Nobody knows whether a device that reports no state was reset when its agent ended. */
  @Test
  void aPausedWorkloadIsNotResumedOnADeviceThatReportsNoState() {
    List<SessionRecord> records =
        List.of(
            new SessionRecord.SourceStarted(spec(Mode.LIVE)),
            new SessionRecord.SwitchingOver(1),
            new SessionRecord.RollingBack(true, null));
    state = SourceMachine.recovered(records, now());
    on(new Recover());
    on(new Opened(null, true));
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_STRANDED);
    assertThat(actions).containsExactly(SimpleAction.CLOSE_DEVICE);
  }

  @Test
  void aConnectionLostAtTheSecondWayOutIsTriedAgain() {
    untilPrecopy();
    on(new Cancel(3));
    on(new PendingRead(PendingBytes.NOTHING));
    state = state.at(RollBackStep.ROLL_BACK_LEAVING_OTHERWISE);
    on(new SourceEvent.Failed(Failure.of(Reason.DEVICE_UNREACHABLE, "no answer")));
    assertThat(state.step()).isEqualTo(RollBackStep.ROLL_BACK_OPEN_RESTING);
  }

  @Test
  void theRateOfDirtyBytesNeverTurnsNegative() {
    untilPrecopy();
    round(1, 1, 4096);
    goOn();
    on(new PendingRead(new PendingBytes(0, Long.MAX_VALUE, 0)));
    on(new StateCopied(0, true));
    on(new DirtyFound(1, Long.MAX_VALUE / 2, 4096, 4096));
    assertThat(state.progress().dirtyBytesPerSecond()).isPositive();
  }
}
