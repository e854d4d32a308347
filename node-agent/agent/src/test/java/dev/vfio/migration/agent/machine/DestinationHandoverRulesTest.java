package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The destination's rules, one by one, on the pure machine. */
class DestinationHandoverRulesTest
    extends MachineDriver<DestinationState, DestinationEvent, DestinationAction> {
  private static final WindowSpec RING = new WindowSpec("ring", 4096, 8192);
  private static final DeviceDescription DEVICE = device("gpu", 4096);

  DestinationHandoverRulesTest() {
    super(
        new DestinationMachine(Timings.USUAL)::step,
        DestinationState.initial(
            new DestinationSpec(
                new SessionKey("m", 1),
                "default/m",
                "vfio-user:gpu-0",
                "a",
                DEVICE,
                List.of(RING),
                1)));
  }

  private static DeviceDescription device(String model, int pageSize) {
    return new DeviceDescription(
        "vfio-user:gpu-0", MigrationInterface.REGION_2018, model, 1 << 20, true, true, pageSize);
  }

  private Failure refusal() {
    return actions.stream()
        .filter(Reply.class::isInstance)
        .map(action -> ((Reply) action).refusal())
        .findFirst()
        .orElseThrow();
  }

  private void done() {
    on(new Done());
  }

  private void failed(Reason reason) {
    on(new DestinationEvent.Failed(Failure.of(reason, "so it was")));
  }

  private void untilListening() {
    on(new Prepare(1));
    on(new Opened(DEVICE, DeviceState.NONE));
    on(new Mapped(List.of(RING), WorkloadState.WAITING));
    done();
    assertThat(last()).isEqualTo(SimpleWork.RESET_FREE);
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(last()).isEqualTo(new Transition(DeviceState.RESUME));
    done();
    assertThat(last()).isEqualTo(SimpleWork.AWAIT_STREAMS);
    done();
    assertThat(last()).isEqualTo(new Reply(1, null));
  }

  private void untilLoaded() {
    untilListening();
    on(new StreamStarted());
    on(new StreamComplete(10, 20, now - 5_000_000));
    done();
    assertThat(last()).isEqualTo(SimpleWork.TRANSFER_TO_WORKLOAD);
    done();
    assertThat(actions).noneMatch(SimpleAction.CONFIRM_LOADED::equals);
    done();
    assertThat(last()).isEqualTo(SimpleAction.CONFIRM_LOADED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
  }

  @Test
  void aLoadedDeviceThatWasResetIsNeverActivated() {
    untilLoaded();
    on(new Activate(2));
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.RUNNING));
    failed(Reason.NOT_LOADED);
    assertThat(((Journal) last()).record()).isInstanceOf(SessionRecord.StateLost.class);
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().message())
        .contains("so it was")
        .contains("its stopped device alone can still hold the state")
        .doesNotContain("Do not reset it");

    on(new Activate(3));
    assertThat(actions).containsExactly(new Reply(3, null));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new RollBack(4, "late"));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
  }

  /** The journal's middle cannot be read, and its last entry can: so it is read back. */
  @Test
  void aDestinationThatIsActiveByTheLastEntryOfADamagedJournalIsNotDiscarded() {
    state =
        DestinationMachine.recovered(
            List.of(
                new SessionRecord.Prepared(state.spec()), new SessionRecord.Active(Progress.NONE)),
            now());
    on(new RollBack(2, "late"));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_ACTIVE);
    on(new Cancel(3));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_ACTIVE);
  }

  /** What may be loaded is kept until the decision is known. */
  @Test
  void aDestinationWhoseJournalIsDamagedBehindItsPreparationIsNotDiscardedByItself() {
    state =
        DestinationMachine.recovered(
            List.of(
                new SessionRecord.Prepared(state.spec()), new SessionRecord.EntriesLost("torn")),
            now());
    on(new Recover());
    assertThat(actions).isEmpty();
    on(new Stop());
    assertThat(actions).isEmpty();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
  }

  /** It may run by then, and would be taken for the one that was loaded. */
  @Test
  void aDeviceThatLostItsStateStaysLostOverARestart() {
    Failure lost = Failure.of(Reason.NOT_LOADED, "it was reset");
    state =
        DestinationMachine.recovered(
            List.of(
                new SessionRecord.Prepared(state.spec()),
                new SessionRecord.Loaded(0, Progress.NONE),
                new SessionRecord.Activating(),
                new SessionRecord.StateLost(lost, null)),
            now());
    on(new Recover());
    assertThat(actions).isEmpty();
    on(new Activate(2));
    assertThat(actions).containsExactly(new Reply(2, null));
    assertThat(state.snapshot().failure()).isEqualTo(lost);
  }

  @Test
  void aDifferentDeviceIsRefusedUntouched() {
    for (DeviceDescription other : List.of(device("npu", 4096), device("gpu", 65536))) {
      state = DestinationState.initial(state.spec());
      on(new Prepare(1));
      on(new Opened(other, DeviceState.NONE));
      assertThat(refusal().reason()).isEqualTo(Reason.INCOMPATIBLE_DEVICE);
      assertThat(last()).isEqualTo(SimpleAction.FORGET);
    }
  }

  @Test
  void differentWindowsAreRefusedUntouched() {
    on(new Prepare(1));
    on(new Opened(DEVICE, DeviceState.NONE));
    on(new Mapped(List.of(new WindowSpec("ring", 4096, 4096)), WorkloadState.WAITING));
    assertThat(refusal().reason()).isEqualTo(Reason.INCOMPATIBLE_DEVICE);
    assertThat(refusal().message()).contains("8192 bytes");
    assertThat(last()).isEqualTo(SimpleAction.FORGET);
  }

  @Test
  void aDeviceThatSomebodyLeftInAMigrationIsRefused() {
    on(new Prepare(1));
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED));
    assertThat(refusal().reason()).isEqualTo(Reason.DEVICE_NOT_RESET);
    assertThat(refusal().message())
        .contains("RESUME_COMPLETED", "It was not touched", "reset it first: restart its server");
  }

  @Test
  void whatCannotBeJournalledIsNotBegun() {
    on(new Prepare(1));
    on(new Opened(DEVICE, DeviceState.NONE));
    on(new Mapped(List.of(RING), WorkloadState.WAITING));
    failed(Reason.JOURNAL_FAILED);
    assertThat(refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
    assertThat(actions).noneMatch(Transition.class::isInstance);
    on(new Prepare(2));
    assertThat(refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
  }

  @Test
  void loadedIsConfirmedToTheSourceOnceItIsJournalled() {
    untilLoaded();
    assertThat(state.progress().deviceStateBytes()).isEqualTo(10);
  }

  @Test
  void loadedThatCannotBeJournalledIsRejectedAndDiscarded() {
    untilListening();
    on(new StreamStarted());
    on(new StreamComplete(10, 20, 0));
    done();
    done();
    failed(Reason.JOURNAL_FAILED);
    assertThat(actions.get(0)).isInstanceOf(RejectLoaded.class);
    assertThat(actions.get(1)).isEqualTo(SimpleAction.CLOSE_STREAMS);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
  }

  @Test
  void aDeviceThatNobodyTakesIsDiscardedBeforeTheSourceIsAnswered() {
    untilListening();
    on(new StreamStarted());
    on(new StreamComplete(10, 20, 0));
    done();
    failed(Reason.WORKLOAD_UNREACHABLE);
    assertThat(actions.get(0)).isInstanceOf(RejectLoaded.class);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.FAILED));
    done();
    assertThat(last()).isEqualTo(SimpleWork.RESET);
  }

  @Test
  void aDeviceThatDoesNotCompleteIsFailedAndReset() {
    untilListening();
    on(new StreamStarted());
    on(new StreamComplete(10, 20, 0));
    failed(Reason.TRANSITION_FAILED);
    done();
    assertThat(last()).isEqualTo(new Transition(DeviceState.FAILED));
    done();
    assertThat(last()).isEqualTo(SimpleWork.RESET);
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(last()).isEqualTo(SimpleWork.TAKE_BACK);
    done();
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDED);
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.TRANSITION_FAILED);
  }

  @Test
  void onceLoadedABrokenStreamAndAnEndingAgentMeanNothing() {
    untilLoaded();
    on(new StreamBroke(Failure.of(Reason.STREAM_BROKEN, "cut")));
    on(new Stop());
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
    assertThat(actions).isEmpty();
  }

  @Test
  void beforeItIsLoadedThereIsNothingToActivate() {
    untilListening();
    on(new Activate(2));
    assertThat(refusal().reason()).isEqualTo(Reason.NOT_LOADED);
  }

  @Test
  void theDeviceRunsOnceActivatingIsJournalledAndTheDowntimeIsKnown() {
    untilLoaded();
    on(new Activate(2));
    assertThat(actions).containsExactly(new Journal(new SessionRecord.Activating()));
    done();
    assertThat(actions).containsExactly(new Reply(2, null), new Transition(DeviceState.RUNNING));
    done();
    assertThat(last()).isEqualTo(SimpleWork.LET_WORKLOAD_TAKE);
    assertThat(state.progress().downtimeNanos()).isBetween(5_000_000L, 5_010_000L);
    done();
    assertThat(last()).isEqualTo(SimpleWork.LOOK_AT_RUNNING);
    done();
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_ACTIVE);
    on(new RollBack(3, "too late"));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    on(new Activate(4));
    assertThat(actions).containsExactly(new Reply(4, null));
  }

  @Test
  void anActivationThatCannotBeJournalledIsToBeRepeated() {
    untilLoaded();
    on(new Activate(2));
    failed(Reason.JOURNAL_FAILED);
    assertThat(refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
  }

  @Test
  void aDeviceThatWouldNotRunStrandsAndActivateTriesAgain() {
    untilLoaded();
    on(new Activate(2));
    done();
    failed(Reason.TRANSITION_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().message()).contains("Do not reset it");
    on(new RollBack(3, "no"));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    on(new Activate(4));
    assertThat(actions).containsExactly(new Reply(4, null), new Transition(DeviceState.RUNNING));
  }

  @Test
  void aRunningDeviceThatNobodyTakesStaysOpenUntilSomebodyDoes() {
    untilLoaded();
    on(new Activate(2));
    done();
    done();
    for (int tries = 0; tries <= Timings.USUAL.retries(); tries++) {
      assertThat(last()).isEqualTo(SimpleWork.LET_WORKLOAD_TAKE);
      failed(Reason.WORKLOAD_UNREACHABLE);
      assertThat(actions).noneMatch(SimpleAction.CLOSE_DEVICE::equals);
      if (tries < Timings.USUAL.retries()) {
        on(new DestinationEvent.TimerFired(state.epoch()));
      }
    }
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new Activate(5));
    assertThat(actions).containsExactly(new Reply(5, null), SimpleWork.LET_WORKLOAD_TAKE);
  }

  @Test
  void aDeviceThatNobodyHeldSinceTheRestartLostItsState() {
    state =
        DestinationMachine.recovered(
            List.of(
                new SessionRecord.Prepared(state.spec()),
                new SessionRecord.Loaded(0, Progress.NONE),
                new SessionRecord.Activating()),
            now());
    on(new Recover());
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(actions).hasSize(2).startsWith(SimpleAction.CLOSE_DEVICE);
    assertThat(((Journal) last()).record()).isInstanceOf(SessionRecord.StateLost.class);
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.NOT_LOADED);
    assertThat(state.snapshot().failure().message())
        .contains("lost what it had taken in", "Nothing is tried any more");
    on(new Activate(4));
    assertThat(actions).containsExactly(new Reply(4, null));
  }

  @Test
  void aDeviceWithoutStateThatSomebodyHeldAllTheTimeIsStillLoaded() {
    state =
        DestinationMachine.recovered(
            List.of(
                new SessionRecord.Prepared(state.spec()),
                new SessionRecord.Loaded(0, Progress.NONE)),
            now());
    on(new Recover());
    on(new Opened(DEVICE, null, true));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
  }

  @Test
  void aWorkloadThatKeepsTheDeviceIsAskedForItAgainAfterARollback() {
    untilLoaded();
    on(new RollBack(2, "decided"));
    done();
    done();
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(last()).isEqualTo(SimpleWork.TAKE_BACK);
    failed(Reason.WORKLOAD_UNREACHABLE);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
    on(new DestinationEvent.TimerFired(state.epoch()));
    assertThat(last()).isEqualTo(SimpleWork.TAKE_BACK);
    done();
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDED);
  }

  @Test
  void loadedStateIsNotGivenUpBeforeThatIsJournalled() {
    untilLoaded();
    on(new RollBack(2, "decided"));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
    failed(Reason.JOURNAL_FAILED);
    assertThat(refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
    on(new RollBack(3, "decided"));
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
    on(new Activate(4));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_ROLLED_BACK);
  }

  @Test
  void afterARestartADeviceThatLostItsStateIsNeverRun() {
    state =
        DestinationMachine.recovered(
            List.of(
                new SessionRecord.Prepared(state.spec()),
                new SessionRecord.Loaded(0, Progress.NONE)),
            now());
    on(new Recover());
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new Activate(2));
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(refusal().reason()).isEqualTo(Reason.NOT_LOADED);
    assertThat(actions).noneMatch(Transition.class::isInstance);
    on(new RollBack(3, "decided"));
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
  }
}
