package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The source's rules, one by one, on the pure machine. */
class SourceHandoverRulesTest extends MachineDriver<SourceState, SourceEvent, SourceAction> {
  private static final SessionKey KEY = new SessionKey("m", 1);
  private static final PendingBytes SOME = new PendingBytes(1, 2, 3);

  SourceHandoverRulesTest() {
    super(new SourceMachine(Timings.USUAL)::step, SourceState.initial(spec(Mode.LIVE)));
  }

  private static SourceSpec spec(Mode mode) {
    return new SourceSpec(
        KEY, "default/m", "vfio-user:gpu-0", "b", "host", 1, mode, 1, 0, 0, List.of());
  }

  private void done() {
    on(new Done());
  }

  private void failed(Reason reason) {
    on(new SourceEvent.Failed(Failure.of(reason, "so it was")));
  }

  private void untilSetUp() {
    on(new Start(1));
    done();
    on(new Opened(DeviceState.RUNNING, true));
    on(new Mapped(4096, WorkloadState.RUNNING));
    on(new Connected(state.epoch()));
    done();
  }

  /** Until the first round's pending bytes are to be read. */
  private void untilFirstRound() {
    untilSetUp();
    done();
    assertThat(last()).isInstanceOf(ReadPending.class);
  }

  private void untilPrecopy() {
    untilFirstRound();
    on(new PendingRead(SOME));
    on(new StateCopied(5, false));
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_PRECOPY);
  }

  /** From the switch-over until everything was read and the end mark is to be journalled. */
  private void untilEndIsJournalled() {
    on(new SwitchOver(2));
    done();
    done();
    done();
    done();
    on(new PendingRead(SOME));
    on(new DirtyFound(1, 4096, 4096, 4096));
    on(new Continue(state.epoch()));
    on(new MemoryCopied(4096, 0));
    on(new StateCopied(10, true));
    on(new PendingRead(PendingBytes.NOTHING));
    assertThat(last()).isEqualTo(new LookAtSaved(15, 4096));
    done();
    assertThat(last()).isInstanceOf(Journal.class);
  }

  private void untilAwaiting() {
    untilPrecopy();
    untilEndIsJournalled();
    done();
    assertThat(last()).isEqualTo(SimpleWork.SEND_END);
    done();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
  }

  @Test
  void nothingIsTouchedBeforeItIsJournalled() {
    on(new Start(1));
    assertThat(actions).hasSize(1);
    assertThat(((Journal) last()).record()).isInstanceOf(SessionRecord.SourceStarted.class);
    failed(Reason.JOURNAL_FAILED);
    assertThat(actions).hasSize(2);
    assertThat(((Reply) actions.get(0)).refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
    assertThat(last()).isEqualTo(SimpleAction.FORGET);
    on(new Start(2));
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
  }

  @Test
  void aDeviceThatIsNotRunningIsLeftAlone() {
    on(new Start(1));
    done();
    on(new Opened(DeviceState.STOPNCOPY, true));
    assertThat(state.failure().reason()).isEqualTo(Reason.TRANSITION_FAILED);
    done();
    assertThat(actions).noneMatch(Transition.class::isInstance);
    done();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
  }

  @Test
  void coldWaitsForTheSwitchOver() {
    state = SourceState.initial(spec(Mode.COLD));
    untilSetUp();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_READY);
    assertThat(actions).isEmpty();
    on(new SwitchOver(2));
    assertThat(((Journal) last()).record()).isInstanceOf(SessionRecord.SwitchingOver.class);
  }

  @Test
  void aSwitchOverThatComesTooEarlyIsToBeRepeated() {
    on(new Start(1));
    on(new SwitchOver(2));
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.NOT_READY);
  }

  @Test
  void theWorkloadStandsStillBeforeTheDeviceStops() {
    untilPrecopy();
    on(new SwitchOver(2));
    done();
    assertThat(actions).containsExactly(new Reply(2, null), SimpleWork.PAUSE_WORKLOAD);
    done();
    assertThat(last()).isInstanceOf(SendPaused.class);
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.STOPNCOPY));
    done();
    assertThat(last()).isInstanceOf(ReadPending.class);
    on(new PendingRead(SOME));
    assertThat(last()).isEqualTo(new CollectDirty(true));
  }

  @Test
  void aPauseThatFailedIsUndoneOnceTheDeviceRuns() {
    untilPrecopy();
    on(new SwitchOver(2));
    done();
    failed(Reason.WORKLOAD_PAUSE_FAILED);
    assertThat(actions.get(0)).isEqualTo(SimpleAction.CLOSE_STREAM);
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.FAILED));
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.RUNNING));
    done();
    assertThat(last()).isEqualTo(SimpleWork.RESUME_WORKLOAD);
    done();
    done();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.WORKLOAD_PAUSE_FAILED);
    assertThat(state.progress().downtimeNanos()).isPositive();
  }

  @Test
  void aRoundReadsPendingOnceAndRestsByTimer() {
    untilFirstRound();
    assertThat(last()).isInstanceOf(ReadPending.class);
    on(new PendingRead(SOME));
    on(new StateCopied(0, true));
    on(new DirtyFound(0, 0, 0, 0));
    on(new Continue(state.epoch()));
    on(new MemoryCopied(0, 0));
    StartTimer first = (StartTimer) last();
    assertThat(state.progress().rounds()).isEqualTo(1);
    assertThat(state.progress().precopyExhausted()).isTrue();
    on(new TimerFired(state.epoch()));
    assertThat(last()).isInstanceOf(ReadPending.class);
    on(new PendingRead(SOME));
    on(new StateCopied(0, true));
    on(new DirtyFound(0, 0, 0, 0));
    on(new Continue(state.epoch()));
    on(new MemoryCopied(0, 0));
    assertThat(((StartTimer) last()).delay()).isGreaterThan(first.delay());
  }

  @Test
  void aTimerOfAnEarlierWaitMeansNothing() {
    untilFirstRound();
    on(new PendingRead(SOME));
    on(new StateCopied(5, false));
    long old = state.epoch();
    on(new SwitchOver(2));
    SourceState before = state;
    on(new Continue(old));
    assertThat(state).isEqualTo(before);
    assertThat(actions).isEmpty();
  }

  @Test
  void whatWasMadeDirtyAgainIsCountedFromRoundToRound() {
    untilFirstRound();
    on(new PendingRead(new PendingBytes(0, 100, 0)));
    on(new StateCopied(100, true));
    on(new DirtyFound(0, 0, 4096, 4096));
    on(new Continue(state.epoch()));
    on(new MemoryCopied(4096, 0));
    now += 1_000_000_000L;
    on(new TimerFired(state.epoch()));
    on(new PendingRead(new PendingBytes(0, 500, 0)));
    on(new StateCopied(500, true));
    on(new DirtyFound(2, 8192, 8192, 8192));
    assertThat(state.progress().dirtyPages()).isEqualTo(2);
    assertThat(state.progress().dirtyBytesPerSecond()).isBetween(8500L, 8692L);
  }

  @Test
  void aDeviceThatNeverRunsDryIsBroughtBack() {
    untilPrecopy();
    on(new SwitchOver(2));
    done();
    done();
    done();
    done();
    on(new PendingRead(SOME));
    on(new DirtyFound(0, 0, 0, 0));
    on(new Continue(state.epoch()));
    on(new MemoryCopied(0, 0));
    for (int tries = 0; tries <= Timings.USUAL.dryRetries(); tries++) {
      assertThat(state.failure()).isNull();
      on(new StateCopied(0, true));
      on(new PendingRead(SOME));
      if (tries < Timings.USUAL.dryRetries()) {
        assertThat(last()).isInstanceOfAny(YieldToCommands.class, StartTimer.class);
        on(
            last() instanceof YieldToCommands
                ? new Continue(state.epoch())
                : new TimerFired(state.epoch()));
      }
    }
    assertThat(state.failure().reason()).isEqualTo(Reason.DEVICE_NEVER_DRY);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
  }

  @Test
  void aDeviceWithNothingNowIsAskedAgainWhileBytesArePending() {
    untilPrecopy();
    on(new SwitchOver(2));
    done();
    done();
    done();
    done();
    on(new PendingRead(SOME));
    on(new DirtyFound(0, 0, 0, 0));
    on(new Continue(state.epoch()));
    on(new MemoryCopied(0, 0));
    on(new StateCopied(0, true));
    on(new PendingRead(new PendingBytes(1, 0, 0)));
    on(new Continue(state.epoch()));
    assertThat(last()).isInstanceOf(CopyState.class);
    on(new StateCopied(1, true));
    on(new PendingRead(PendingBytes.NOTHING));
    done();
    assertThat(((Journal) last()).record()).isInstanceOf(SessionRecord.EndAllowed.class);
  }

  @Test
  void withoutTheEntryTheEndMarkIsNotSent() {
    untilPrecopy();
    untilEndIsJournalled();
    failed(Reason.JOURNAL_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
    assertThat(actions).noneMatch(SimpleWork.SEND_END::equals);
  }

  @Test
  void onceTheEndMarkMayBeOutOnlyTheDecisionLeadsOut() {
    untilPrecopy();
    untilEndIsJournalled();
    done();
    failed(Reason.STREAM_BROKEN);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
    assertThat(state.snapshot().failure().message()).contains("waits, paused");
    on(new Stop());
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
    on(new LoadedNotHeard(state.epoch(), Failure.of(Reason.STREAM_BROKEN, "cut")));
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
    on(new Commit(3));
    done();
    assertThat(actions)
        .containsExactly(new Reply(3, null), new Transition(DeviceState.SAVE_COMPLETED));
  }

  @Test
  void aDecisionThatCannotBeJournalledIsToBeRepeated() {
    untilAwaiting();
    on(new Commit(3));
    failed(Reason.JOURNAL_FAILED);
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
    on(new Commit(4));
    assertThat(((Journal) last()).record()).isEqualTo(new SessionRecord.Committed());
  }

  @Test
  void afterCommittedTheDeviceNeverRunsHereAgain() {
    untilAwaiting();
    on(new Commit(3));
    done();
    on(new SourceEvent.Failed(Failure.of(Reason.TRANSITION_FAILED, "refused")));
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_COMPLETING);
    on(new RollBack(4, "too late"));
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    on(new Cancel(5));
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    on(new TimerFired(state.epoch()));
    on(new Opened(DeviceState.STOPNCOPY, true));
    done();
    assertThat(last()).isEqualTo(SimpleWork.RELEASE_WORKLOAD);
    done();
    assertThat(actions).containsExactly(SimpleWork.RESET_RELEASED);
    on(new WasReset(DeviceState.NONE));
    done();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_COMPLETED);
    assertThat(state.snapshot().failure()).isNull();
  }

  @Test
  void aDeviceWithoutStateThatSomebodyHeldAllTheTimeIsBroughtBackAfterARestart() {
    for (boolean kept : new boolean[] {true, false}) {
      state =
          SourceMachine.recovered(
              List.of(
                  new SessionRecord.SourceStarted(state.spec()),
                  new SessionRecord.SwitchingOver(now)),
              now());
      on(new Recover());
      done();
      on(new Opened(null, true, kept));
      if (kept) {
        assertThat(last()).isEqualTo(new Transition(DeviceState.FAILED));
      } else {
        assertThat(state.state()).isEqualTo(SessionState.SOURCE_STRANDED);
      }
    }
  }

  @Test
  void aDeviceThatWasResetAfterCommittedIsOnlyReleased() {
    for (DeviceState reset : List.of(DeviceState.NONE, DeviceState.RUNNING)) {
      state =
          SourceMachine.recovered(
              List.of(
                  new SessionRecord.SourceStarted(state.spec()),
                  new SessionRecord.SwitchingOver(now),
                  new SessionRecord.EndAllowed(Progress.NONE),
                  new SessionRecord.Committed()),
              now());
      on(new Recover());
      on(new Opened(reset, true));
      assertThat(actions).as("%s", reset).containsExactly(SimpleWork.RELEASE_WORKLOAD);
    }
  }

  @Test
  void beforeEverythingIsSentThereIsNothingToCommit() {
    untilPrecopy();
    on(new Commit(3));
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.NOT_LOADED);
  }

  @Test
  void aCancelLeadsThroughCancelledAndIsNoFailure() {
    untilPrecopy();
    on(new Cancel(3));
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.CANCELLED));
    done();
    done();
    assertThat(actions).noneMatch(SimpleWork.RESUME_WORKLOAD::equals);
    done();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(state.snapshot().failure()).isNull();
    on(new Commit(4));
    assertThat(((Reply) last()).refusal().reason()).isEqualTo(Reason.ALREADY_ROLLED_BACK);
    on(new Cancel(5));
    assertThat(((Reply) last()).refusal()).isNull();
  }

  /** A device that is kept open for a workload that died could not be given to any other. */
  @Test
  void whereTheWorkloadDiedTheDeviceIsResetAndReleasedAndTheReportSaysSo() {
    for (boolean cancelled : new boolean[] {true, false}) {
      state = SourceState.initial(spec(Mode.LIVE));
      untilPrecopy();
      on(new SwitchOver(2));
      done();
      done();
      // What was in the way before the cancellation is no reason for it.
      state = cancelled ? state.withFailure(Failure.of(Reason.STREAM_BROKEN, "why not")) : state;
      on(cancelled ? new Cancel(3) : new RollBack(3, "why not"));
      done();
      done();
      done();
      assertThat(last()).isEqualTo(SimpleWork.RESUME_WORKLOAD);
      on(new SourceEvent.Failed(new Failure(Reason.WORKLOAD_UNREACHABLE, "it died", 3)));
      assertThat(actions).containsExactly(SimpleWork.RESET_RELEASED);
      on(new WasReset(DeviceState.NONE));
      assertThat(actions.get(0)).isEqualTo(SimpleAction.CLOSE_DEVICE);
      SessionRecord.RolledBack end = (SessionRecord.RolledBack) ((Journal) last()).record();
      assertThat(end.device()).as("as the reset left it").isEqualTo(DeviceState.NONE);
      done();
      assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
      assertThat(state.snapshot().deviceState()).isEqualTo(DeviceState.NONE);
      assertThat(state.snapshot().failure().errno()).isEqualTo(3);
      assertThat(state.snapshot().failure().message())
          .contains("it died", "vfio-user:gpu-0 was brought back to RUNNING", "It was reset");
      assertThat(state.snapshot().failure().message().contains("why not")).isEqualTo(!cancelled);
    }
  }

  @Test
  void aDeviceThatRefusesToComeBackStrandsAndIsNeverReset() {
    untilPrecopy();
    on(new RollBack(3, "why not"));
    done();
    failed(Reason.TRANSITION_FAILED);
    assertThat(last()).isEqualTo(new Transition(DeviceState.CANCELLED));
    failed(Reason.TRANSITION_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_STRANDED);
    assertThat(state.snapshot().failure().message()).contains("not reset").contains("roll back");
    on(new RollBack(4, "again"));
    assertThat(actions).containsExactly(new Reply(4, null), SimpleWork.OPEN_DEVICE);
    on(new Opened(DeviceState.PRECOPY, true));
    done();
    done();
    done();
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.ROLLED_BACK);
  }
}
