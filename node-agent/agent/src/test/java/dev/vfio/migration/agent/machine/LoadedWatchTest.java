package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is loaded is looked at until the decision, and its loss is reported before it. */
class LoadedWatchTest extends MachineDriver<DestinationState, DestinationEvent, DestinationAction> {
  private static final int ESRCH = 3;
  private static final int ECONNREFUSED = 111;
  private static final int ETIMEDOUT = 110;
  private static final DeviceDescription DEVICE =
      new DeviceDescription(
          "vfio-user:gpu-1", MigrationInterface.REGION_2018, "model", 1 << 20, true, true, 4096);
  private static final DestinationSpec SPEC =
      new DestinationSpec(
          new SessionKey("move", 1), "default/move", "vfio-user:gpu-1", "a", DEVICE, List.of(), 1);

  LoadedWatchTest() {
    super(new DestinationMachine(Timings.USUAL)::step, null);
    stepNanos = 0;
  }

  /** As after a restart: the device was opened and found loaded. */
  @BeforeEach
  void load() {
    state =
        DestinationMachine.recovered(
            List.of(new SessionRecord.Prepared(SPEC), new SessionRecord.Loaded(0, Progress.NONE)),
            now());
    on(new Recover());
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED));
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
  }

  private void failed(Reason reason, int errno) {
    on(new DestinationEvent.Failed(new Failure(reason, "so it was", errno)));
  }

  private void timePasses() {
    StartTimer timer =
        (StartTimer)
            actions.stream().filter(StartTimer.class::isInstance).findFirst().orElseThrow();
    now += timer.delay().toNanos();
    on(new TimerFired(timer.epoch()));
  }

  private void looks() {
    timePasses();
    assertThat(actions).containsExactly(SimpleWork.LOOK_AT_LOADED);
  }

  private Failure refusal(long command) {
    return ((Reply)
            actions.stream()
                .filter(action -> action instanceof Reply reply && reply.command() == command)
                .findFirst()
                .orElseThrow())
        .refusal();
  }

  @Test
  void whatIsFoundIsLookedAtAgainAndAgain() {
    for (int look = 0; look < 3; look++) {
      looks();
      on(new Done());
      assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
      assertThat(actions).hasSize(1);
    }
  }

  @Test
  void aDeviceWhoseServerDiedIsReportedAtOnceAndOpenedAgain() {
    looks();
    failed(Reason.DEVICE_UNREACHABLE, 0);
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.DEVICE_UNREACHABLE);
    assertThat(state.snapshot().deviceState()).as("nobody knows").isNull();
    assertThat(state.snapshot().failure().message())
        .contains("so it was", "has ended with it", "it is rolled back")
        .doesNotContain("still holds the state");
    timePasses();
    assertThat(actions).containsExactly(SimpleWork.OPEN_DEVICE);
    failed(Reason.DEVICE_UNREACHABLE, ECONNREFUSED);
    assertThat(state.snapshot().failure().message()).contains("Nobody serves the device any more");
    on(new RollBack(7, "lost"));
    assertThat(actions).contains(SimpleAction.CLOSE_STREAMS);
    on(new Done());
    assertThat(actions).containsExactly(new Reply(7, null), SimpleWork.OPEN_DEVICE);
  }

  /** The connection to a server that hung is of no more use, and what it holds may be there. */
  @Test
  void aDeviceThatIsFoundAgainIsLoadedAgain() {
    looks();
    failed(Reason.DEVICE_UNREACHABLE, ETIMEDOUT);
    timePasses();
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED));
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_LOADED);
    assertThat(state.snapshot().failure()).isNull();
    looks();
  }

  @Test
  void aDeviceThatWasResetIsReportedAtOnce() {
    looks();
    failed(Reason.NOT_LOADED, 0);
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.NOT_LOADED);
    timePasses();
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_STRANDED);
  }

  /** The device is not closed: its last close would reset it, and another workload may come. */
  @Test
  void aWorkloadThatDiedIsReportedAtOnceAndTheDeviceStaysOpen() {
    looks();
    failed(Reason.WORKLOAD_UNREACHABLE, ESRCH);
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().message()).contains("its workload cannot take it");
    looks();
    failed(Reason.WORKLOAD_UNREACHABLE, ESRCH);
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new RollBack(7, "lost"));
    on(new Done());
    assertThat(actions).containsExactly(new Reply(7, null), new Transition(DeviceState.FAILED));
  }

  @Test
  void aBusyDeviceIsNoLossUntilABoundHasPassed() {
    long start = now;
    looks();
    failed(Reason.DEVICE_READ_FAILED, 16);
    while (state.snapshot().state() == SessionState.DESTINATION_LOADED) {
      assertThat(state.snapshot().failure()).isNull();
      looks();
      failed(Reason.DEVICE_READ_FAILED, 16);
    }
    assertThat(now - start).isGreaterThanOrEqualTo(Timings.USUAL.doubt().toNanos());
    assertThat(state.snapshot().failure().reason()).isEqualTo(Reason.DEVICE_READ_FAILED);
    looks();
    on(new Done());
    assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_LOADED);
    assertThat(state.snapshot().failure()).isNull();
  }

  @Test
  void aLookThatFoundItEndsTheDoubt() {
    for (int turn = 0; turn < 3 * Timings.USUAL.retries(); turn++) {
      looks();
      failed(Reason.WORKLOAD_UNREACHABLE, ETIMEDOUT);
      assertThat(state.snapshot().state()).isEqualTo(SessionState.DESTINATION_LOADED);
      looks();
      on(new Done());
    }
  }

  @Test
  void whoAsksIsAnsweredAfterALookOfItsOwn() {
    on(new VerifyLoaded(5));
    assertThat(actions).containsExactly(SimpleWork.LOOK_AT_LOADED);
    on(new Done());
    assertThat(refusal(5)).isNull();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
    looks();
  }

  @Test
  void whoAsksIsRefusedWhereItWasNotFoundJustNow() {
    on(new VerifyLoaded(5));
    failed(Reason.DEVICE_READ_FAILED, 16);
    assertThat(refusal(5).reason()).isEqualTo(Reason.NOT_LOADED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
    on(new VerifyLoaded(6));
    on(new Done());
    assertThat(refusal(6)).isNull();
  }

  @Test
  void whoAsksIsRefusedWhereItIsLost() {
    on(new VerifyLoaded(5));
    failed(Reason.DEVICE_UNREACHABLE, 0);
    assertThat(refusal(5).reason()).isEqualTo(Reason.NOT_LOADED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new VerifyLoaded(6));
    assertThat(refusal(6).reason()).isEqualTo(Reason.NOT_LOADED);
  }

  @Test
  void whoAsksAfterTheDecisionGetsTheSessionAsItIs() {
    on(new Activate(4));
    on(new Done());
    on(new Done());
    on(new Done());
    on(new Done());
    on(new Done());
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_ACTIVE);
    on(new VerifyLoaded(5));
    assertThat(actions).containsExactly(new Reply(5, null));
  }

  /** It was committed on the look before; another workload that waits may take the device. */
  @Test
  void aCommittedDeviceWhoseWorkloadDiedIsActivatedOnTheOpenDevice() {
    looks();
    failed(Reason.WORKLOAD_UNREACHABLE, ESRCH);
    on(new Activate(4));
    assertThat(actions).containsExactly(new Journal(new SessionRecord.Activating()));
    on(new Done());
    assertThat(actions).containsExactly(new Reply(4, null), new Transition(DeviceState.RUNNING));
    assertThat(state.snapshot().failure()).isNull();
  }

  @Test
  void aCommittedDeviceThatIsGoneIsNeverRun() {
    looks();
    failed(Reason.DEVICE_UNREACHABLE, 0);
    on(new Activate(4));
    assertThat(actions).containsExactly(SimpleWork.OPEN_DEVICE);
    on(new Opened(DEVICE, DeviceState.NONE));
    assertThat(refusal(4).reason()).isEqualTo(Reason.NOT_LOADED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(actions).noneMatch(Transition.class::isInstance);
  }

  @Test
  void aDecisionThatCouldNotBeJournalledIsWatchedOn() {
    for (Command decision : List.of(new Activate(4), new RollBack(4, "back"))) {
      on(decision);
      failed(Reason.JOURNAL_FAILED, 28);
      assertThat(refusal(4).reason()).isEqualTo(Reason.JOURNAL_FAILED);
      assertThat(state.state()).isEqualTo(SessionState.DESTINATION_LOADED);
      looks();
      on(new Done());
    }
  }
}
