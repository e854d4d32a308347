package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/** All that {@link SourceMachine} does. */
final class SourceSearch extends SessionSearch<SourceState, SourceEvent, SourceAction> {
  private static final long MUCH = 1L << 40;
  private static final Failure FAILURE = Failure.of(Reason.STREAM_BROKEN, "so it was");

  /** What was copied, and how, matters in these alone. */
  private static final Set<SessionState> COPIES =
      EnumSet.of(
          SessionState.SOURCE_STARTING,
          SessionState.SOURCE_READY,
          SessionState.SOURCE_PRECOPY,
          SessionState.SOURCE_STOPNCOPY);

  private final SourceMachine machine = new SourceMachine(HASTY);

  @Override
  List<SourceState> first() {
    List<SourceState> first = new ArrayList<>();
    for (Mode mode : Mode.values()) {
      first.add(
          SourceState.initial(
              new SourceSpec(
                  new SessionKey("m", 1),
                  "default/m",
                  "vfio-user:gpu-0",
                  "b",
                  "host",
                  1,
                  mode,
                  1,
                  0,
                  0,
                  List.of())));
    }
    return first;
  }

  @Override
  Outcome<SourceState, SourceAction> step(SourceState s, SourceEvent event, Moment moment) {
    return machine.step(s, event, moment);
  }

  @Override
  SourceState recovered(List<SessionRecord> journal, Moment moment) {
    return SourceMachine.recovered(journal, moment);
  }

  @Override
  SessionState stateOf(SourceState s) {
    return s.state();
  }

  @Override
  Object essence(SourceState s) {
    List<Object> essence =
        new ArrayList<>(
            Arrays.asList(
                s.recovered(),
                s.state(),
                s.step(),
                s.device().state(),
                s.device().open(),
                s.device().touched(),
                s.handover().decision(),
                s.handover().endAllowed(),
                s.handover().pauseAsked(),
                s.command() != 0,
                s.problems().obstacle() != null,
                Math.min(s.tries(), HASTY.retries())));
    if (COPIES.contains(s.state())) {
      essence.add(s.spec().mode());
      essence.add(s.device().precopy());
      essence.add(s.progress().deviceStateBytes() != 0);
      essence.add(s.round().sent().dry());
      essence.add(s.round().sent().stateBytes() != 0);
      essence.add(s.round().estimate().bytes());
    }
    return essence;
  }

  @Override
  boolean isWork(SourceAction action) {
    return action instanceof SourceAction.Work;
  }

  @Override
  boolean isForgotten(SourceAction action) {
    return action == SourceAction.SimpleAction.FORGET;
  }

  @Override
  SessionRecord entryOf(SourceAction work) {
    return work instanceof SourceAction.Journal journal ? journal.record() : null;
  }

  @Override
  boolean isFailure(SourceEvent event) {
    return event instanceof SourceEvent.Failed;
  }

  @Override
  boolean isCommand(Object event) {
    return event instanceof SourceEvent.Command;
  }

  @Override
  List<SourceEvent> answers(SourceAction work) {
    List<SourceEvent> answers = new ArrayList<>();
    failures().forEach(failure -> answers.add(new SourceEvent.Failed(failure)));
    if (work instanceof SourceAction.SimpleWork simple) {
      answers.addAll(simpleAnswers(simple));
    } else if (work instanceof SourceAction.ReadPending) {
      for (long pending : new long[] {0, 1, MUCH}) {
        answers.add(new SourceEvent.PendingRead(new PendingBytes(pending, 0, 0)));
      }
    } else if (work instanceof SourceAction.CopyState) {
      answers.add(new SourceEvent.StateCopied(0, true));
      answers.add(new SourceEvent.StateCopied(1, true));
      answers.add(new SourceEvent.StateCopied(1, false));
      answers.add(new SourceEvent.StateCopied(4 * MUCH, false));
    } else if (work instanceof SourceAction.CollectDirty) {
      answers.add(new SourceEvent.DirtyFound(0, 0, 0, 0));
      answers.add(new SourceEvent.DirtyFound(1, 4096, 4096, 4096));
    } else if (work instanceof SourceAction.CopyMemory) {
      answers.add(new SourceEvent.MemoryCopied(0, 0));
      answers.add(new SourceEvent.MemoryCopied(4096, 0));
      answers.add(new SourceEvent.MemoryCopied(4096, 4096));
    } else {
      answers.add(new SourceEvent.Done());
    }
    return answers;
  }

  private static List<SourceEvent> simpleAnswers(SourceAction.SimpleWork work) {
    return switch (work) {
      case OPEN_DEVICE -> opened();
      case MAP_WINDOWS ->
          Arrays.stream(WorkloadState.values())
              .<SourceEvent>map(workload -> new SourceEvent.Mapped(4096, workload))
              .toList();
      case RESET_RELEASED -> {
        List<SourceEvent> answers = new ArrayList<>();
        for (DeviceState state : deviceStates()) {
          answers.add(new SourceEvent.WasReset(state));
          answers.add(new SourceEvent.InUse(state));
        }
        yield answers;
      }
      case PAUSE_WORKLOAD, RESUME_WORKLOAD, RELEASE_WORKLOAD, SEND_END ->
          List.of(new SourceEvent.Done());
    };
  }

  private static List<SourceEvent> opened() {
    List<SourceEvent> answers = new ArrayList<>();
    for (DeviceState state : deviceStates()) {
      for (boolean precopy : new boolean[] {false, true}) {
        answers.add(new SourceEvent.Opened(state, precopy, false));
        answers.add(new SourceEvent.Opened(state, precopy, true));
      }
    }
    return answers;
  }

  @Override
  List<SourceEvent> reports(SourceAction action) {
    if (action instanceof SourceAction.Connect connect) {
      return List.of(
          new SourceEvent.Connected(connect.epoch()),
          new SourceEvent.NotConnected(connect.epoch(), FAILURE));
    }
    if (action instanceof SourceAction.AwaitLoaded await) {
      return List.of(
          new SourceEvent.LoadedHeard(await.epoch()),
          new SourceEvent.LoadedNotHeard(await.epoch(), FAILURE));
    }
    if (action instanceof SourceAction.YieldToCommands turn) {
      return List.of(new SourceEvent.Continue(turn.epoch()));
    }
    return action instanceof SourceAction.StartTimer timer
        ? List.of(new SourceEvent.TimerFired(timer.epoch()))
        : List.of();
  }

  @Override
  long epochOf(SourceState s) {
    return s.epoch();
  }

  @Override
  long epochAwaitedBy(SourceEvent event) {
    return event instanceof SourceEvent.Later later ? later.epoch() : -1;
  }

  @Override
  List<SourceEvent> events(SourceState s) {
    if (s.recovered() && s.step() == SourceStep.MainStep.NEW) {
      return List.of(new SourceEvent.Recover());
    }
    if (s.step() == SourceStep.MainStep.NEW) {
      return List.of(new SourceEvent.Start(1));
    }
    return List.of(
        new SourceEvent.Start(1),
        new SourceEvent.SwitchOver(1),
        new SourceEvent.Commit(1),
        new SourceEvent.RollBack(1, "because"),
        new SourceEvent.Cancel(1),
        new SourceEvent.Stop());
  }
}
