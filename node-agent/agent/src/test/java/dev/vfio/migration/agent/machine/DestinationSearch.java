package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** All that {@link DestinationMachine} does. */
final class DestinationSearch
    extends SessionSearch<DestinationState, DestinationEvent, DestinationAction> {
  private static final Failure FAILURE = Failure.of(Reason.STREAM_BROKEN, "so it was");
  private static final DeviceDescription DEVICE = device("gpu");
  private final DestinationMachine machine = new DestinationMachine(HASTY);

  private static DeviceDescription device(String model) {
    return new DeviceDescription(
        "vfio-user:gpu-0", MigrationInterface.REGION_2018, model, 1 << 20, true, true, 4096);
  }

  @Override
  List<DestinationState> first() {
    return List.of(
        DestinationState.initial(
            new DestinationSpec(
                new SessionKey("m", 1),
                "default/m",
                "vfio-user:gpu-0",
                "a",
                DEVICE,
                List.of(),
                1)));
  }

  @Override
  Outcome<DestinationState, DestinationAction> step(
      DestinationState s, DestinationEvent event, Moment moment) {
    return machine.step(s, event, moment);
  }

  @Override
  DestinationState recovered(List<SessionRecord> journal, Moment moment) {
    return DestinationMachine.recovered(journal, moment);
  }

  @Override
  SessionState stateOf(DestinationState s) {
    return s.state();
  }

  @Override
  Object essence(DestinationState s) {
    return Arrays.asList(
        s.recovered(),
        s.state(),
        s.step(),
        s.device(),
        s.handover().loaded(),
        s.handover().activating(),
        s.handover().told(),
        s.handover().streamWaits(),
        s.doubtedSinceNanos() != 0,
        s.command() != 0,
        s.lost(),
        s.problems().obstacle() != null,
        Math.min(s.tries(), HASTY.retries()));
  }

  @Override
  boolean isWork(DestinationAction action) {
    return action instanceof DestinationAction.Work;
  }

  @Override
  boolean isForgotten(DestinationAction action) {
    return action == DestinationAction.SimpleAction.FORGET;
  }

  @Override
  SessionRecord entryOf(DestinationAction work) {
    return work instanceof DestinationAction.Journal journal ? journal.record() : null;
  }

  @Override
  boolean isFailure(DestinationEvent event) {
    return event instanceof DestinationEvent.Failed;
  }

  @Override
  boolean isCommand(Object event) {
    return event instanceof DestinationEvent.Command;
  }

  @Override
  List<DestinationEvent> answers(DestinationAction work) {
    List<DestinationEvent> answers = new ArrayList<>();
    failures().forEach(failure -> answers.add(new DestinationEvent.Failed(failure)));
    if (work instanceof DestinationAction.SimpleWork simple) {
      answers.addAll(simpleAnswers(simple));
    } else {
      answers.add(new DestinationEvent.Done());
    }
    return answers;
  }

  private static List<DestinationEvent> simpleAnswers(DestinationAction.SimpleWork work) {
    return switch (work) {
      case OPEN_DEVICE, RESET, RESET_FREE -> opened();
      case MAP_WINDOWS ->
          Arrays.stream(WorkloadState.values())
              .<DestinationEvent>map(workload -> new DestinationEvent.Mapped(List.of(), workload))
              .toList();
      case AWAIT_STREAMS,
          TRANSFER_TO_WORKLOAD,
          LOOK_AT_LOADED,
          TAKE_BACK,
          LET_WORKLOAD_TAKE,
          LOOK_AT_RUNNING ->
          List.of(new DestinationEvent.Done());
    };
  }

  private static List<DestinationEvent> opened() {
    List<DestinationEvent> answers = new ArrayList<>();
    for (DeviceState state : deviceStates()) {
      for (Continuity continuity : Continuity.values()) {
        answers.add(new DestinationEvent.Opened(DEVICE, state, continuity));
      }
    }
    answers.add(new DestinationEvent.Opened(device("other"), DeviceState.NONE));
    return answers;
  }

  @Override
  List<DestinationEvent> reports(DestinationAction action) {
    if (action instanceof DestinationAction.StartTick tick) {
      return List.of(new DestinationEvent.Ticked(tick.epoch(), 1, 1));
    }
    return action instanceof DestinationAction.StartTimer timer
        ? List.of(new DestinationEvent.TimerFired(timer.epoch()))
        : List.of();
  }

  @Override
  long epochOf(DestinationState s) {
    return s.epoch();
  }

  @Override
  long epochAwaitedBy(DestinationEvent event) {
    return event instanceof DestinationEvent.Later later ? later.epoch() : -1;
  }

  @Override
  List<DestinationEvent> events(DestinationState s) {
    if (s.recovered() && s.step() == DestinationStep.MainStep.NEW) {
      return List.of(new DestinationEvent.Recover());
    }
    if (s.step() == DestinationStep.MainStep.NEW) {
      return List.of(new DestinationEvent.Prepare(1));
    }
    return List.of(
        new DestinationEvent.Prepare(1),
        new DestinationEvent.VerifyLoaded(1),
        new DestinationEvent.Activate(1),
        new DestinationEvent.GiveUp(1, "because"),
        new DestinationEvent.RollBack(1, "because"),
        new DestinationEvent.Cancel(1),
        new DestinationEvent.Stop(),
        new DestinationEvent.StreamStarted(),
        new DestinationEvent.StreamBroke(FAILURE),
        new DestinationEvent.StreamComplete(1, 1, 1),
        new DestinationEvent.StreamComplete(0, 0, 0));
  }
}
