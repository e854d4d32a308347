package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Rules of the destination that no schedule of chance is sure to meet. */
class DestinationMachineTest
    extends MachineDriver<DestinationState, DestinationEvent, DestinationAction> {
  private static final DeviceDescription DEVICE =
      new DeviceDescription(
          "vfio-user:gpu-1", MigrationInterface.REGION_2018, "model", 1 << 20, true, true, 4096);
  private static final List<WindowSpec> WINDOWS = List.of(new WindowSpec("ring", 4096, 8192));
  private static final DestinationSpec SPEC =
      new DestinationSpec(
          new SessionKey("move", 1), "default/move", "vfio-user:gpu-1", "a", DEVICE, WINDOWS, 1);

  DestinationMachineTest() {
    super(new DestinationMachine(Timings.USUAL)::step, DestinationState.initial(SPEC));
  }

  private void untilMapped(DeviceState device, WorkloadState workload) {
    on(new Prepare(1));
    on(new Opened(DEVICE, device));
    on(new Mapped(WINDOWS, workload));
  }

  private static DestinationEvent failed(Reason reason) {
    return new DestinationEvent.Failed(Failure.of(reason, "refused"));
  }

  /** Whoever names the wrong device must not destroy what runs on it. */
  @Test
  void aDeviceThatAWorkloadUsesIsRefusedBeforeItIsTouched() {
    untilMapped(DeviceState.RUNNING, WorkloadState.RUNNING);
    assertThat(state.step()).isEqualTo(MainStep.REFUSED);
    assertThat(state.failure().reason()).isEqualTo(Reason.DEVICE_BUSY);
    assertThat(all)
        .noneMatch(
            action ->
                action instanceof Transition
                    || action == SimpleWork.RESET
                    || action instanceof Journal);
  }

  @Test
  void aPausedWorkloadIsNoDestinationEither() {
    untilMapped(DeviceState.NONE, WorkloadState.PAUSED);
    assertThat(state.step()).isEqualTo(MainStep.REFUSED);
  }

  @Test
  void aDeviceThatRefusedToResumeIsLeftAsItIs() {
    untilMapped(DeviceState.RUNNING, WorkloadState.WAITING);
    on(new Done());
    assertThat(actions).containsExactly(SimpleWork.RESET_FREE);
    on(new Opened(DEVICE, DeviceState.RUNNING));
    assertThat(actions).containsExactly(new Transition(DeviceState.RESUME));
    on(failed(Reason.TRANSITION_FAILED));
    on(new Done());
    assertThat(actions).last().isEqualTo(SimpleWork.OPEN_DEVICE);
    on(new Opened(DEVICE, DeviceState.RUNNING));
    assertThat(actions).containsExactly(SimpleWork.TAKE_BACK);
    on(new Done());
    on(new Done());
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDED);
    assertThat(all)
        .doesNotContain(new Transition(DeviceState.FAILED))
        .noneMatch(action -> action == SimpleWork.RESET);
  }

  /** Who prepared it may have come late: then nobody is left who would end the session. */
  @Test
  void aDestinationToWhichNoSourceConnectsIsReleasedInTheEnd() {
    untilMapped(DeviceState.NONE, WorkloadState.WAITING);
    on(new Done());
    on(new Opened(DEVICE, DeviceState.NONE));
    on(new Done());
    on(new Done());
    assertThat(actions).contains(new StartTimer(state.epoch(), Timings.USUAL.listening()));
    long listening = state.epoch();
    on(new TimerFired(listening));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
    assertThat(state.snapshot().failure().message()).contains("no source has connected");
  }

  @Test
  void aSourceThatHasConnectedIsNotGivenUpForHavingComeLate() {
    untilMapped(DeviceState.NONE, WorkloadState.WAITING);
    on(new Done());
    on(new Opened(DEVICE, DeviceState.NONE));
    on(new Done());
    on(new Done());
    long listening = state.epoch();
    on(new StreamStarted());
    on(new TimerFired(listening));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_RECEIVING);
  }

  @Test
  void aDeviceThatRefusedToResumeAndMovedAllTheSameIsReset() {
    untilMapped(DeviceState.NONE, WorkloadState.WAITING);
    on(new Done());
    on(new Opened(DEVICE, DeviceState.NONE));
    on(failed(Reason.TRANSITION_FAILED));
    on(new Done());
    on(new Opened(DEVICE, DeviceState.FAILED));
    on(new Done());
    assertThat(actions).containsExactly(SimpleWork.RESET);
  }

  @Test
  void aDeviceThatCouldNotBeResetIsReportedToWhoeverAsks() {
    untilMapped(DeviceState.NONE, WorkloadState.WAITING);
    on(new Done());
    on(new Opened(DEVICE, DeviceState.NONE));
    on(failed(Reason.DEVICE_UNREACHABLE));
    on(new Done());
    for (int turn = 0; turn < 3 * Timings.USUAL.retries() + 3; turn++) {
      if (state.step() == DiscardStep.DISCARD_RESTING) {
        on(new TimerFired(state.epoch()));
      } else if (state.step() == DiscardStep.TAKING_BACK) {
        on(new Done());
      } else if (state.step() != DiscardStep.JOURNALLING_DISCARDED) {
        on(failed(Reason.DEVICE_UNREACHABLE));
      }
    }
    SessionRecord last = ((Journal) actions.get(actions.size() - 1)).record();
    on(new Done());
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_DISCARDED);
    assertThat(state.snapshot().resetFailed()).isTrue();
    state =
        DestinationMachine.recovered(
            List.of(new SessionRecord.Prepared(SPEC), last), new Moment(1, 1));
    assertThat(state.snapshot().resetFailed()).as("after a restart").isTrue();
  }

  private void loadedBefore(SessionRecord... later) {
    List<SessionRecord> records = new ArrayList<>();
    records.add(new SessionRecord.Prepared(SPEC));
    records.add(new SessionRecord.Loaded(0, Progress.NONE));
    records.addAll(List.of(later));
    state = DestinationMachine.recovered(records, new Moment(1, 1));
    on(new Recover());
  }

  /** Its last close may have reset it: nobody may decide for it on the strength of a guess. */
  @Test
  void aDeviceThatDoesNotTellItsStateDoesNotCountAsLoadedAfterARestart() {
    loadedBefore();
    on(new Opened(DEVICE, null));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new RollBack(1, "not verified"));
    assertThat(state.failure()).isNotNull();
    assertThat(actions).anyMatch(action -> action instanceof Journal);
  }

  @Test
  void aDeviceThatTellsThatItHoldsTheStateCountsAsLoadedAfterARestart() {
    loadedBefore();
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
  }

  @Test
  void aDeviceThatDoesNotTellItsStateIsNotRunAfterARestart() {
    loadedBefore(new SessionRecord.Activating());
    on(new Opened(DEVICE, null));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(all).noneMatch(action -> action instanceof Transition);
  }

  private void untilResetIsAsked(DeviceState device) {
    state = DestinationState.initial(SPEC);
    all.clear();
    untilMapped(device, WorkloadState.WAITING);
    assertThat(all)
        .as("not touched before it is journalled")
        .noneMatch(SimpleWork.RESET_FREE::equals);
    on(new Done());
    assertThat(actions).containsExactly(SimpleWork.RESET_FREE);
  }

  private static DestinationEvent noReset() {
    return new DestinationEvent.Failed(
        new Failure(Reason.TRANSITION_FAILED, "no reset", Errno.EOPNOTSUPP.number()));
  }

  @Test
  void aFreeDeviceIsResetBeforeItTakesAnythingIn() {
    for (DeviceState reset : new DeviceState[] {DeviceState.NONE, DeviceState.RUNNING, null}) {
      untilResetIsAsked(DeviceState.RUNNING);
      on(new Opened(DEVICE, reset));
      assertThat(actions).containsExactly(new Transition(DeviceState.RESUME));
    }
  }

  @Test
  void aDeviceWithoutAResetIsTakenOnlyIfItSaysThatNothingIsLeftInIt() {
    untilResetIsAsked(DeviceState.RUNNING);
    on(noReset());
    assertThat(actions).containsExactly(new Transition(DeviceState.RESUME));

    untilResetIsAsked(null);
    on(noReset());
    assertThat(state.failure().reason()).isEqualTo(Reason.DEVICE_NOT_RESET);
    assertThat(state.failure().message()).contains("Nothing was done to it");
    on(new Done());
    on(new Opened(DEVICE, null));
    on(new Done());
    on(new Done());
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDED);
    assertThat(all).noneMatch(Transition.class::isInstance).noneMatch(SimpleWork.RESET::equals);
  }

  @Test
  void aResetThatDoesNotHelpIsNotBelievedBeforeStateIsTakenIn() {
    untilResetIsAsked(DeviceState.NONE);
    on(new Opened(DEVICE, DeviceState.SAVE_COMPLETED));
    assertThat(state.failure().reason()).isEqualTo(Reason.DEVICE_NOT_RESET);
    assertThat(all).doesNotContain(new Transition(DeviceState.RESUME));
  }

  @Test
  void aDeviceThatRefusesTheResetIsLookedAtBeforeItIsDoneAnythingTo() {
    untilResetIsAsked(DeviceState.RUNNING);
    on(failed(Reason.TRANSITION_FAILED));
    on(new Done());
    assertThat(actions).last().isEqualTo(SimpleWork.OPEN_DEVICE);
    on(new Opened(DEVICE, DeviceState.RUNNING));
    assertThat(actions).containsExactly(SimpleWork.TAKE_BACK);
    assertThat(all).noneMatch(Transition.class::isInstance);
  }

  @Test
  void aDiscardIsOverOnlyWhenTheResetIsSeenToHaveHelped() {
    untilResetIsAsked(DeviceState.NONE);
    on(new Opened(DEVICE, DeviceState.NONE));
    on(failed(Reason.DEVICE_UNREACHABLE));
    on(new Done());
    for (int turn = 0; turn < 10 * Timings.USUAL.retries(); turn++) {
      DestinationAction last = actions.get(actions.size() - 1);
      if (last == SimpleWork.TAKE_BACK) {
        break;
      }
      on(
          last instanceof StartTimer
              ? new TimerFired(state.epoch())
              : last instanceof Transition ? new Done() : new Opened(DEVICE, DeviceState.RESUME));
    }
    assertThat(actions).containsExactly(SimpleWork.TAKE_BACK);
    assertThat(state.snapshot().resetFailed()).isTrue();
    assertThat(state.snapshot().failure().message())
        .contains("the reset did not help", "restart its server");
  }

  /**
   * Nobody held it: what is in it may be anybody's, also where it is in the state it was left in.
   */
  @Test
  void aDeviceThatNobodyHeldIsNotTakenForLoadedWhateverItSays() {
    for (DeviceState says :
        List.of(DeviceState.RESUME_COMPLETED, DeviceState.RUNNING, DeviceState.NONE)) {
      loadedBefore();
      on(new Opened(DEVICE, says, Continuity.FRESH));
      assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);

      loadedBefore(new SessionRecord.Activating());
      on(new Opened(DEVICE, says, Continuity.FRESH));
      if (says == DeviceState.NONE) {
        // That it lost its state is journalled first.
        on(new Done());
      }
      assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
      assertThat(all)
          .noneMatch(SimpleWork.LET_WORKLOAD_TAKE::equals)
          .noneMatch(Transition.class::isInstance);
    }
  }

  @Test
  void whatNobodyHeldIsResetWhateverItSaysWhenItIsDiscarded() {
    for (DeviceState says : List.of(DeviceState.NONE, DeviceState.RUNNING)) {
      state =
          DestinationMachine.recovered(
              List.of(
                  new SessionRecord.Prepared(SPEC),
                  new SessionRecord.Discarding(Failure.of(Reason.STREAM_BROKEN, "cut"))),
              new Moment(1, 1));
      on(new Recover());
      on(new Opened(DEVICE, says, Continuity.FRESH));
      assertThat(actions).as("%s", says).containsExactly(SimpleWork.RESET);
    }
  }
}
