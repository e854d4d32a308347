package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.journal.file.RecordCodec;
import dev.vfio.migration.agent.machine.SourceAction.Journal;
import dev.vfio.migration.agent.machine.SourceAction.Reply;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What an agent reports of an end: what it saw, and in words for people. */
class WhatWasSeenTest extends MachineDriver<SourceState, SourceEvent, SourceAction> {
  private static final String MACHINE_NAME = "(SOURCE|DESTINATION)_[A-Z]";
  private static final SourceSpec SPEC =
      new SourceSpec(
          new SessionKey("move", 1),
          "default/move",
          "vfio-user:gpu-0",
          "b",
          "host",
          9444,
          Mode.LIVE,
          1,
          0,
          0,
          List.of());

  WhatWasSeenTest() {
    super(new SourceMachine(Timings.USUAL)::step, SourceState.initial(SPEC));
  }

  private void untilPrecopy() {
    on(new Start(1));
    on(new Done());
    on(new Opened(DeviceState.RUNNING, true));
    on(new Mapped(0, WorkloadState.RUNNING));
    on(new Connected(state.epoch()));
    on(new Done());
    on(new Done());
    on(new PendingRead(new PendingBytes(0, 1 << 20, 0)));
    assertThat(state.state()).isEqualTo(SessionState.SOURCE_PRECOPY);
  }

  private String afterRestart(SessionRecord... later) {
    List<SessionRecord> records = new ArrayList<>(List.of(new SessionRecord.SourceStarted(SPEC)));
    records.addAll(List.of(later));
    state = SourceMachine.recovered(records, now());
    on(new Recover());
    return state.failure().message();
  }

  /** The journal has no entry for copying: nothing depends on it. */
  @Test
  void anAgentThatWasKilledWhileCopyingDoesNotSayThatItWasStarting() {
    assertThat(afterRestart())
        .contains("while the source was being set up or copied, before its workload was paused")
        .doesNotContainPattern(MACHINE_NAME);
  }

  @Test
  void anAgentThatWasKilledInThePauseSaysSo() {
    assertThat(afterRestart(new SessionRecord.SwitchingOver(1)))
        .contains("while the source's workload was being paused or stood still")
        .doesNotContainPattern(MACHINE_NAME);
  }

  @Test
  void anAgentThatEndsInOrderSaysWhatItDid() {
    untilPrecopy();
    on(new Stop());
    assertThat(state.failure().message())
        .contains("while the source copies while the workload runs")
        .doesNotContainPattern(MACHINE_NAME);
  }

  @Test
  void aDestinationsAgentThatWasKilledNamesNoStateOfTheMachine() {
    DestinationState lost =
        new DestinationMachine(Timings.USUAL)
            .step(
                DestinationMachine.recovered(
                    List.of(
                        new SessionRecord.Prepared(
                            new DestinationSpec(
                                new SessionKey("move", 1),
                                "default/move",
                                "vfio-user:gpu-0",
                                "a",
                                new DeviceDescription(
                                    "vfio-user:gpu-0",
                                    MigrationInterface.REGION_2018,
                                    "gpu",
                                    1 << 20,
                                    true,
                                    true,
                                    4096),
                                List.of(),
                                1))),
                    now()),
                new DestinationEvent.Recover(),
                now())
            .state();
    assertThat(lost.failure().message())
        .contains("before everything was loaded")
        .doesNotContainPattern(MACHINE_NAME);
  }

  @Test
  void aRefusedCommandSaysInWordsWhereTheSourceStands() {
    untilPrecopy();
    on(new Commit(7));
    assertThat(reply().message()).contains("copies while the").doesNotContainPattern(MACHINE_NAME);
    on(new Cancel(8));
    on(new SwitchOver(9));
    assertThat(reply().message()).contains("rolled back").doesNotContainPattern(MACHINE_NAME);
  }

  private Failure reply() {
    return actions.stream()
        .filter(Reply.class::isInstance)
        .map(action -> ((Reply) action).refusal())
        .findFirst()
        .orElseThrow();
  }

  /** A device that was found in the middle of something was never RUNNING here. */
  @Test
  void whereADeviceWasLeftIsKnownAfterARestart() throws IOException {
    on(new Start(1));
    on(new Done());
    on(new Opened(DeviceState.SAVE_COMPLETED, true));
    on(new Done());
    SessionRecord end =
        actions.stream()
            .filter(Journal.class::isInstance)
            .map(action -> ((Journal) action).record())
            .findFirst()
            .orElseThrow();
    on(new Done());
    assertThat(state.snapshot().state()).isEqualTo(SessionState.SOURCE_ROLLED_BACK);
    assertThat(state.snapshot().deviceState()).isEqualTo(DeviceState.SAVE_COMPLETED);

    SessionRecord read = RecordCodec.decode(RecordCodec.encode(end));
    assertThat(replayed(read).snapshot().deviceState()).isEqualTo(DeviceState.SAVE_COMPLETED);
  }

  @Test
  void anEntryOfAReleaseThatDidNotWriteItHasNoState() throws IOException {
    SessionRecord old =
        RecordCodec.decode(
            new String(
                    RecordCodec.encode(new SessionRecord.RolledBack(null, Progress.NONE)),
                    StandardCharsets.UTF_8)
                .replace(",\"device\":null", "")
                .getBytes(StandardCharsets.UTF_8));
    assertThat(replayed(old).snapshot().deviceState()).isNull();
  }

  private static SourceState replayed(SessionRecord end) {
    return SourceMachine.recovered(
        List.of(new SessionRecord.SourceStarted(SPEC), end), new Moment(1, 1));
  }
}
