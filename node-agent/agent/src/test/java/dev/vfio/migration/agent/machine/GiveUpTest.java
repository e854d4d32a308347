package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** After Committed a destination gives up only what its workload certainly never ran with. */
class GiveUpTest extends MachineDriver<DestinationState, DestinationEvent, DestinationAction> {
  private static final DeviceDescription DEVICE =
      new DeviceDescription(
          "vfio-user:gpu-1", MigrationInterface.REGION_2018, "model", 1 << 20, true, true, 4096);
  private static final DestinationSpec SPEC =
      new DestinationSpec(
          new SessionKey("move", 1), "default/move", "vfio-user:gpu-1", "a", DEVICE, List.of(), 1);

  GiveUpTest() {
    super(new DestinationMachine(Timings.USUAL)::step, DestinationState.initial(SPEC));
  }

  private void recoveredWith(SessionRecord... later) {
    List<SessionRecord> records = new ArrayList<>();
    records.add(new SessionRecord.Prepared(SPEC));
    records.add(new SessionRecord.Loaded(0, Progress.NONE));
    records.addAll(Arrays.asList(later));
    state = DestinationMachine.recovered(records, new Moment(1, 1));
    on(new Recover());
  }

  private void failed(Reason reason) {
    on(new DestinationEvent.Failed(Failure.of(reason, "so it was")));
  }

  private void done() {
    on(new Done());
  }

  /** Loaded, the decision is told, and the device has lost what it held by then. */
  private void untilLost() {
    recoveredWith();
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED, true));
    done();
    on(new Activate(1));
    done();
    assertThat(actions).contains(new Transition(DeviceState.RUNNING));
    failed(Reason.NOT_LOADED);
  }

  private Failure refusal() {
    return actions.stream()
        .filter(Reply.class::isInstance)
        .map(action -> ((Reply) action).refusal())
        .reduce((first, last) -> last)
        .orElseThrow();
  }

  @Test
  void whatWasLostBeforeItsWorkloadWasToldIsGivenUpAndNeverActivatedAgain() {
    untilLost();
    assertThat(((Journal) actions.get(actions.size() - 1)).record())
        .isInstanceOfSatisfying(
            SessionRecord.StateLost.class, lost -> assertThat(lost.neverTaken()).isTrue());
    done();
    on(new GiveUp(2, "the person says so"));
    assertThat(((Journal) actions.get(actions.size() - 1)).record())
        .isInstanceOf(SessionRecord.Discarding.class);
    assertThat(state.state())
        .as("until it is on the disk")
        .isEqualTo(SessionState.DESTINATION_STRANDED);
    done();
    assertThat(actions).contains(new Reply(2, null));
    on(new Activate(3));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_ROLLED_BACK);
  }

  @Test
  void aGivenUpDestinationWhoseEndCannotBeWrittenNeverCountsAsActive() {
    recoveredWith(
        new SessionRecord.Activating(),
        new SessionRecord.StateLost(Failure.of(Reason.NOT_LOADED, "lost"), true),
        new SessionRecord.Discarding(Failure.of(Reason.ROLLED_BACK, "given up")));
    on(new Opened(DEVICE, DeviceState.NONE));
    on(new Opened(DEVICE, DeviceState.NONE));
    done();
    failed(Reason.JOURNAL_FAILED);
    on(new TimerFired(state.epoch()));
    assertThat(((Journal) actions.get(actions.size() - 1)).record())
        .isInstanceOf(SessionRecord.Discarded.class);
  }

  @Test
  void aGivingUpThatIsNotOnTheDiskIsRefusedAndTheDestinationIsWhatItWas() {
    untilLost();
    done();
    DestinationState lost = state;
    on(new GiveUp(2, "the person says so"));
    failed(Reason.JOURNAL_FAILED);
    assertThat(refusal().reason()).isEqualTo(Reason.JOURNAL_FAILED);
    assertThat(state.snapshot()).isEqualTo(lost.snapshot());
    assertThat(state.lost()).isTrue();
  }

  /** Its state is there twice, and the administrator wants the one at the source. */
  @Test
  void aDeviceThatWillNotRunIsGivenUpAsLongAsItAnswers() {
    recoveredWith();
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED, true));
    done();
    on(new Activate(1));
    done();
    failed(Reason.TRANSITION_FAILED);
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(state.snapshot().failure().message()).contains("spec.takeBack");
    on(new GiveUp(2, "the driver is broken"));
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
  }

  /** It may run, for whoever asks it next. */
  @Test
  void aDeviceThatDoesNotAnswerIsNotGivenUp() {
    recoveredWith();
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED, true));
    done();
    on(new Activate(1));
    done();
    for (int turn = 0; turn < 3 * Timings.USUAL.retries(); turn++) {
      if (state.state() == SessionState.DESTINATION_STRANDED) {
        break;
      } else if (state.step() == ActivationStep.ACTIVATE_OPEN_RESTING) {
        on(new TimerFired(state.epoch()));
      } else {
        failed(Reason.DEVICE_UNREACHABLE);
      }
    }
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new GiveUp(2, "it does not answer"));
    assertThat(refusal().message()).contains("is not known");
  }

  /** Nothing on the disk says whether the workload was told to take it. */
  @Test
  void whatWasLostOverARestartAfterActivatingIsNotGivenUp() {
    recoveredWith(new SessionRecord.Activating());
    on(new Opened(DEVICE, DeviceState.NONE));
    done();
    assertThat(state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    on(new GiveUp(2, "the person says so"));
    assertThat(refusal().reason()).isEqualTo(Reason.ALREADY_COMMITTED);
    assertThat(refusal().message()).contains("may have run with the device");
  }

  /** One of the entries may have been Activating, and the workload runs. */
  @Test
  void whatIsLostBehindEntriesThatCannotBeReadIsNotGivenUp() {
    recoveredWith(new SessionRecord.EntriesLost("torn"));
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED, true));
    done();
    on(new Activate(1));
    done();
    failed(Reason.NOT_LOADED);
    done();
    on(new GiveUp(2, "the person says so"));
    assertThat(refusal().message()).contains("may have run with the device");
  }

  @Test
  void whatRunsOrIsNotLostIsNotGivenUp() {
    recoveredWith(new SessionRecord.Activating(), new SessionRecord.Active(Progress.NONE));
    on(new GiveUp(2, "the person says so"));
    assertThat(refusal().message()).contains("its workload runs here", "Nothing was done");

    recoveredWith();
    on(new Opened(DEVICE, DeviceState.RESUME_COMPLETED, true));
    done();
    on(new GiveUp(3, "the person says so"));
    assertThat(refusal().message()).contains("nothing here is lost");
  }
}
