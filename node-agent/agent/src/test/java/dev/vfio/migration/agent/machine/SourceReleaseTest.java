package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a workload had in its device does not stay behind in silence. */
class SourceReleaseTest {
  private static final String PCI = "0000:65:00.1";
  private static final String MDEV = "83b8f4f2-509f-382f-3c1e-e6bfe0fa1001";

  private final SourceMachine machine = new SourceMachine(Timings.USUAL);
  private final List<SourceAction> actions = new ArrayList<>();
  private final List<SourceAction> all = new ArrayList<>();
  private SourceState state;
  private long now = 1_000_000_000L;

  private static SourceSpec spec(String device) {
    return new SourceSpec(
        new SessionKey("m", 1), "default/m", device, "b", "h", 1, Mode.LIVE, 1, 0, 0, List.of());
  }

  private void on(SourceEvent event) {
    now += 1000;
    Outcome<SourceState, SourceAction> outcome = machine.step(state, event, new Moment(now, now));
    state = outcome.state();
    actions.clear();
    actions.addAll(outcome.actions());
    all.addAll(outcome.actions());
  }

  private SessionRecord journalled() {
    return ((Journal) actions.get(actions.size() - 1)).record();
  }

  private void committed(String device) {
    state =
        SourceMachine.recovered(
            List.of(
                new SessionRecord.SourceStarted(spec(device)),
                new SessionRecord.SwitchingOver(now),
                new SessionRecord.EndAllowed(Progress.NONE),
                new SessionRecord.Committed()),
            new Moment(now, now));
    all.clear();
    on(new Recover());
  }

  /** Until the workload has closed the device. */
  private void released(String device, DeviceState found) {
    committed(device);
    on(new Opened(found, true, true));
    if (actions.contains(new Transition(DeviceState.SAVE_COMPLETED))) {
      on(new Done());
    }
    assertThat(actions).containsExactly(new ReleaseWorkload());
    assertThat(all).as("nothing is reset under its workload").doesNotContain(new ResetReleased());
    on(new Done());
    assertThat(actions).containsExactly(new ResetReleased());
  }

  private static SourceEvent failed(Reason reason, int errno) {
    return new SourceEvent.Failed(new Failure(reason, "the reset failed", errno));
  }

  private void toldToAPerson(String how) {
    assertThat(actions.get(0)).as("it is released all the same").isEqualTo(new CloseDevice());
    SessionRecord record = journalled();
    on(new Done());
    SessionSnapshot before = state.snapshot();
    state =
        SourceMachine.recovered(
            List.of(new SessionRecord.SourceStarted(state.spec()), record), new Moment(now, now));
    for (SessionSnapshot told : List.of(before, state.snapshot())) {
      assertThat(told.state()).isEqualTo(SessionState.SOURCE_COMPLETED);
      assertThat(told.resetFailed()).isTrue();
      assertThat(told.failure().message())
          .contains("the destination runs", "may still be in it", "Reset it before", how);
    }
  }

  @Test
  void aDeviceIsResetOnceItsWorkloadHasLetGo() {
    for (DeviceState reset : new DeviceState[] {DeviceState.NONE, DeviceState.RUNNING, null}) {
      released(PCI, DeviceState.STOPNCOPY);
      on(new WasReset(reset));
      assertThat(actions).hasSize(2).first().isEqualTo(new CloseDevice());
      assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
      on(new Done());
      assertThat(state.snapshot().resetFailed()).isFalse();
      assertThat(state.snapshot().failure()).isNull();
      assertThat(state.snapshot().deviceState())
          .as("where the migration left it")
          .isEqualTo(DeviceState.SAVE_COMPLETED);
    }
  }

  @Test
  void aRestartResetsOnceMore() {
    for (DeviceState before : List.of(DeviceState.NONE, DeviceState.RUNNING)) {
      released(PCI, before);
      on(new WasReset(before));
      assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
    }
  }

  @Test
  void aResetThatDidNotHelpIsToldUnlessTheLastCloseHelped() {
    for (DeviceState after : List.of(DeviceState.SAVE_COMPLETED, DeviceState.NONE)) {
      released(MDEV, DeviceState.SAVE_COMPLETED);
      on(new WasReset(DeviceState.SAVE_COMPLETED));
      assertThat(actions).as("closed, and looked at").containsExactly(new OpenDevice());
      on(new Opened(after, true));
      if (after.leftOver()) {
        toldToAPerson("echo 1 > /sys/bus/mdev/devices/" + MDEV + "/remove");
      } else {
        assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
      }
    }
  }

  @Test
  void aDeviceWithoutAResetIsToldUnlessItsLastCloseResetIt() {
    for (DeviceState after : new DeviceState[] {DeviceState.STOPNCOPY, null, DeviceState.RUNNING}) {
      released(PCI, DeviceState.SAVE_COMPLETED);
      on(failed(Reason.TRANSITION_FAILED, Errno.EOPNOTSUPP.number()));
      assertThat(actions).containsExactly(new OpenDevice());
      on(new Opened(after, true));
      if (after == DeviceState.RUNNING) {
        assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
      } else {
        toldToAPerson("echo 1 > /sys/bus/pci/devices/0000:65:00.1/reset");
      }
    }
  }

  @Test
  void aResetThatFailsIsTriedAgainAndDoesNotHoldUpTheEndForEver() {
    released("vfio-user:gpu-0", DeviceState.SAVE_COMPLETED);
    int resets = 1;
    while (!(actions.get(actions.size() - 1) instanceof Journal)) {
      on(failed(Reason.DEVICE_UNREACHABLE, 0));
      if (actions.get(0) instanceof StartTimer) {
        assertThat(state.state()).isEqualTo(SessionState.SOURCE_COMPLETING);
        assertThat(state.snapshot().failure().message()).contains("the reset failed");
        on(new TimerFired(state.epoch()));
        assertThat(actions).containsExactly(new OpenDevice());
        on(new Opened(DeviceState.SAVE_COMPLETED, true));
        assertThat(actions).containsExactly(new ResetReleased());
        assertThat(++resets).isLessThan(100);
      }
    }
    assertThat(resets).isEqualTo(Timings.USUAL.retries() + 1);
    toldToAPerson("restart its server");
  }

  /** Whoever opened it after a crash of this agent must not lose what is in it by now. */
  @Test
  void aDeviceThatSomebodyElseHasByNowIsNotReset() {
    released(PCI, DeviceState.RUNNING);
    on(new InUse(DeviceState.RUNNING));
    assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
  }

  /** A process that was killed may take a moment to be gone. */
  @Test
  void aDeviceThatIsHeldAndWasLeftStoppedIsLookedAtAgain() {
    released(PCI, DeviceState.SAVE_COMPLETED);
    on(new InUse(DeviceState.SAVE_COMPLETED));
    assertThat(actions.get(0)).isInstanceOf(StartTimer.class);
    on(new TimerFired(state.epoch()));
    on(new Opened(DeviceState.SAVE_COMPLETED, true));
    on(new WasReset(DeviceState.RUNNING));
    assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
  }

  @Test
  void aDeviceThatIsGoneLeavesNothingBehind() {
    released(MDEV, DeviceState.SAVE_COMPLETED);
    on(failed(Reason.UNKNOWN_DEVICE, 0));
    assertThat(journalled()).isEqualTo(new SessionRecord.Completed(null));
  }

  /** One that does not tell its state refuses to be saved twice. */
  @Test
  void aSilentDeviceThatWasSavedBeforeARestartIsReleasedAndReset() {
    committed(PCI);
    on(new Opened(null, true));
    assertThat(actions).containsExactly(new Transition(DeviceState.SAVE_COMPLETED));
    on(failed(Reason.TRANSITION_FAILED, Errno.EINVAL.number()));
    assertThat(actions).containsExactly(new ReleaseWorkload());
  }

  @Test
  void aDeviceThatCouldNotBeResetWhenItsWorkloadDiedIsTold() {
    for (boolean helped : new boolean[] {true, false}) {
      state =
          SourceMachine.recovered(
              List.of(
                  new SessionRecord.SourceStarted(spec(PCI)), new SessionRecord.SwitchingOver(now)),
              new Moment(now, now));
      on(new Recover());
      on(new Done());
      on(new Opened(DeviceState.RUNNING, true));
      assertThat(actions).containsExactly(new ResumeWorkload());
      on(new SourceEvent.Failed(new Failure(Reason.WORKLOAD_UNREACHABLE, "it died", 3)));
      assertThat(actions).containsExactly(new ResetReleased());
      on(helped ? new WasReset(DeviceState.RUNNING) : failed(Reason.TRANSITION_FAILED, 5));
      assertThat(journalled()).isInstanceOf(SessionRecord.RolledBack.class);
      assertThat(state.failure().errno()).isEqualTo(3);
      assertThat(state.failure().message())
          .contains(
              "it died", helped ? "It was reset" : "echo 1 > /sys/bus/pci/devices/" + PCI + "/");
    }
  }
}
