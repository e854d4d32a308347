package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PendingBytes;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What an end reports of its device was looked at, at the moment when somebody relies on it. */
class SeenBeforeReportedTest {
  private static final String DEVICE = "0000:65:00.2";
  private static final DeviceDescription DESCRIPTION =
      new DeviceDescription(DEVICE, MigrationInterface.REGION_V1, "gpu", 1 << 20, true, true, 4096);
  private static final Moment NOW = new Moment(1_000_000_000L, 1_000_000_000L);

  private static final SourceSpec SOURCE =
      new SourceSpec(
          new SessionKey("m", 1),
          "default/m",
          DEVICE,
          "b",
          "b.example",
          9444,
          Mode.COLD,
          1,
          0,
          0,
          List.of());
  private static final DestinationSpec DESTINATION =
      new DestinationSpec(
          new SessionKey("m", 1), "default/m", DEVICE, "a", DESCRIPTION, List.of(), 1);

  private static final class Source extends MachineDriver<SourceState, SourceEvent, SourceAction> {
    Source(SourceState begin) {
      super(new SourceMachine(Timings.USUAL)::step, begin);
    }
  }

  private static final class Destination
      extends MachineDriver<DestinationState, DestinationEvent, DestinationAction> {
    Destination() {
      super(
          new DestinationMachine(Timings.USUAL)::step,
          DestinationMachine.recovered(
              List.of(
                  new SessionRecord.Prepared(DESTINATION),
                  new SessionRecord.Loaded(0, Progress.NONE),
                  new SessionRecord.Activating()),
              NOW));
    }

    /** Until the workload says that it has the device. */
    static Destination taken() {
      Destination destination = new Destination();
      destination.on(
          new DestinationEvent.Recover(),
          new DestinationEvent.Opened(DESCRIPTION, DeviceState.RUNNING, true),
          new DestinationEvent.Done());
      return destination;
    }

    Destination failed(Reason reason) {
      on(new DestinationEvent.Failed(Failure.of(reason, "so it was")));
      return this;
    }
  }

  /** A source that stands still and has read everything but the last of its state. */
  private static Source stopped(long bytesHandedOut) {
    Source source = new Source(SourceState.initial(SOURCE));
    source
        .on(new SourceEvent.Start(1), new SourceEvent.Done())
        .on(new SourceEvent.Opened(DeviceState.RUNNING, false))
        .on(new SourceEvent.Mapped(0, dev.vfio.migration.vfio.workload.WorkloadState.RUNNING))
        .on(new SourceEvent.Connected(source.state.epoch()), new SourceEvent.Done())
        .on(new SourceEvent.SwitchOver(2), new SourceEvent.Done(), new SourceEvent.Done())
        .on(new SourceEvent.Done(), new SourceEvent.Done())
        .on(new SourceEvent.PendingRead(new PendingBytes(0, 0, 131072)))
        .on(new SourceEvent.DirtyFound(0, 0, 0, 0))
        .on(new SourceEvent.Continue(source.state.epoch()))
        .on(new SourceEvent.MemoryCopied(0, 0))
        .on(new SourceEvent.StateCopied(bytesHandedOut, true))
        .on(new SourceEvent.PendingRead(PendingBytes.NOTHING));
    return source;
  }

  @Test
  void aDeviceThatLeftItsSaveIsNoSourceOfACompleteState() {
    Source source = stopped(65536);
    assertThat(source.last()).isEqualTo(new SourceAction.LookAtSaved(65536, 0));
    source.on(
        new SourceEvent.Failed(Failure.of(Reason.TRANSITION_FAILED, "it is in running (001)")));
    assertThat(source.state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
    assertThat(source.state.handover().endAllowed()).isFalse();
    assertThat(source.actions).noneMatch(SourceAction.SimpleWork.SEND_END::equals);
  }

  @Test
  void aDeviceThatHandsOutNothingAtAllIsNotMoved() {
    Source source = stopped(0);
    assertThat(source.state.state()).isEqualTo(SessionState.SOURCE_ROLLING_BACK);
    assertThat(source.state.failure().reason()).isEqualTo(Reason.DEVICE_READ_FAILED);
    assertThat(source.state.failure().message()).contains(DEVICE, "no state at all");
  }

  @Test
  void anEndThatBringsNoStateAtAllIsNotLoaded() {
    DestinationMachine machine = new DestinationMachine(Timings.USUAL);
    DestinationState listening =
        DestinationState.initial(DESTINATION)
            .deviceTouched(true)
            .at(SessionState.DESTINATION_RECEIVING, DestinationStep.MainStep.RECEIVING);
    Outcome<DestinationState, DestinationAction> outcome =
        machine.step(listening, new DestinationEvent.StreamComplete(0, 4096, 0), NOW);
    assertThat(outcome.state().state()).isEqualTo(SessionState.DESTINATION_DISCARDING);
    assertThat(outcome.actions().get(0)).isInstanceOf(DestinationAction.RejectLoaded.class);
    assertThat(outcome.state().failure().message()).contains("no device state at all");
  }

  @Test
  void aDeviceThatFailedWhileItWasTakenIsNotReportedActive() {
    Destination destination = Destination.taken();
    assertThat(destination.last()).isEqualTo(DestinationAction.SimpleWork.LOOK_AT_RUNNING);
    destination.failed(Reason.TRANSITION_FAILED);
    assertThat(destination.state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
    assertThat(destination.state.device().state()).as("nobody knows").isNull();
    assertThat(destination.state.snapshot().failure().message())
        .contains(DEVICE, "so it was", "was not seen RUNNING", "not told to release its copy")
        .contains("activate again");
  }

  @Test
  void whatIsActivatedAgainIsLookedAtAgain() {
    Destination destination = Destination.taken().failed(Reason.TRANSITION_FAILED);
    destination.on(new DestinationEvent.Activate(7));
    assertThat(destination.last()).isEqualTo(DestinationAction.SimpleWork.OPEN_DEVICE);
    destination.on(
        new DestinationEvent.Opened(DESCRIPTION, DeviceState.RUNNING, true),
        new DestinationEvent.Done());
    assertThat(destination.last()).isEqualTo(DestinationAction.SimpleWork.LOOK_AT_RUNNING);
    destination.on(new DestinationEvent.Done(), new DestinationEvent.Done());
    assertThat(destination.state.state()).isEqualTo(SessionState.DESTINATION_ACTIVE);
  }

  @Test
  void aDeviceThatCannotBeLookedAtIsAskedAgainAndThenAPersonIs() {
    Destination destination = Destination.taken();
    for (int tries = 0; tries < Timings.USUAL.retries(); tries++) {
      destination.failed(Reason.DEVICE_READ_FAILED);
      assertThat(destination.state.state()).isEqualTo(SessionState.DESTINATION_ACTIVATING);
      destination.on(new DestinationEvent.TimerFired(destination.state.epoch()));
      assertThat(destination.last()).isEqualTo(DestinationAction.SimpleWork.LOOK_AT_RUNNING);
    }
    destination.failed(Reason.DEVICE_READ_FAILED);
    assertThat(destination.state.state()).isEqualTo(SessionState.DESTINATION_STRANDED);
  }

  @Test
  void aDeviceThatDoesNotAnswerAnyMoreIsOpenedAgainAndLookedAt() {
    Destination destination = Destination.taken().failed(Reason.DEVICE_UNREACHABLE);
    destination.on(new DestinationEvent.TimerFired(destination.state.epoch()));
    assertThat(destination.last()).isEqualTo(DestinationAction.SimpleWork.OPEN_DEVICE);
    destination.on(new DestinationEvent.Opened(DESCRIPTION, DeviceState.RUNNING, true));
    assertThat(destination.last()).isEqualTo(DestinationAction.SimpleWork.LET_WORKLOAD_TAKE);
  }

  /** The journal says what was led where, and not what the device is in now. */
  @Test
  void aSourceThatCameBackReportsNoStateOfItsDeviceThatItHasNotSeen() {
    SessionRecord started = new SessionRecord.SourceStarted(SOURCE);
    SessionRecord ended = new SessionRecord.EndAllowed(Progress.NONE);
    SourceState waiting = SourceMachine.recovered(List.of(started, ended), NOW);
    assertThat(waiting.state()).isEqualTo(SessionState.SOURCE_AWAITING_DECISION);
    assertThat(waiting.device().state()).isNull();
  }

  @Test
  void aRefusedSourceIsRememberedWithTheStateThatWasSeen() {
    Source source = new Source(SourceState.initial(SOURCE));
    source
        .on(new SourceEvent.Start(1), new SourceEvent.Done())
        .on(new SourceEvent.Opened(DeviceState.SAVE_COMPLETED, false))
        .on(new SourceEvent.Done());
    SessionRecord last = ((SourceAction.Journal) source.last()).record();
    source.on(new SourceEvent.Done());
    assertThat(source.state.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(source.state.device().state()).isEqualTo(DeviceState.SAVE_COMPLETED);
    SourceState again =
        SourceMachine.recovered(List.of(new SessionRecord.SourceStarted(SOURCE), last), NOW);
    assertThat(again.state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(again.device().state()).isEqualTo(DeviceState.SAVE_COMPLETED);
  }
}
