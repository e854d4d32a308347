package dev.vfio.migration.agent.machine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.device.Continuity;
import dev.vfio.migration.vfio.device.DeviceDescription;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationInterface;
import dev.vfio.migration.vfio.device.PendingBytes;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Disabled;
import org.junit.jupiter.api.Test;

/**
 * The model of the handover (docs/model/handover.pml), which sandbox/model checks, goes from state
 * to state exactly where the machines do. What the machines do is found by search: every event that
 * may answer what a machine wants done, or that may come while it waits, in every state that is
 * reached.
 */
@Disabled("the search over the machines does not end yet, so nothing was compared")
class HandoverModelTest {
  private static final Timings HASTY =
      new Timings(
          1,
          Duration.ofNanos(1),
          Duration.ofNanos(1),
          Duration.ofNanos(1),
          1,
          Duration.ofNanos(1),
          Duration.ofNanos(1),
          1,
          Duration.ofNanos(1));
  private static final SessionKey KEY = new SessionKey("m", 1);
  private static final PendingBytes SOME = new PendingBytes(1, 0, 0);
  private static final Progress PROGRESS = SourceState.initial(sourceSpec(Mode.LIVE)).progress();
  private static final Failure FAILURE = Failure.of(Reason.TRANSITION_FAILED, "so it was");
  private static final DeviceDescription DEVICE =
      new DeviceDescription(
          "vfio-user:gpu-0", MigrationInterface.REGION_2018, "gpu", 1 << 20, true, true, 4096);
  private static final DestinationSpec DESTINATION =
      new DestinationSpec(KEY, "default/m", "vfio-user:gpu-0", "a", DEVICE, List.of(), 1);
  private static final SessionRecord LOST = new SessionRecord.EntriesLost("it is torn");

  private static final List<List<SessionRecord>> SOURCE_JOURNALS =
      journals(
          new SessionRecord.SourceStarted(sourceSpec(Mode.LIVE)),
          new SessionRecord.SwitchingOver(1),
          new SessionRecord.EndAllowed(PROGRESS),
          List.of(new SessionRecord.Committed(), new SessionRecord.Completed()),
          List.of(
              new SessionRecord.RollingBack(false, FAILURE),
              new SessionRecord.RolledBack(FAILURE, PROGRESS)));
  private static final List<List<SessionRecord>> DESTINATION_JOURNALS =
      journals(
          new SessionRecord.Prepared(DESTINATION),
          new SessionRecord.Loaded(1, PROGRESS),
          new SessionRecord.Activating(),
          List.of(new SessionRecord.StateLost(FAILURE)),
          List.of(new SessionRecord.Active(PROGRESS)));
  private static final List<List<SessionRecord>> DISCARDED_JOURNALS =
      journals(
          new SessionRecord.Prepared(DESTINATION),
          new SessionRecord.Loaded(1, PROGRESS),
          new SessionRecord.Discarding(FAILURE),
          List.of(new SessionRecord.Discarded(FAILURE, null)),
          List.of());

  @Test
  void theModelOfTheSourceGoesWhereItsMachineGoes() {
    Set<String> found = new TreeSet<>();
    List<SourceState> first = new ArrayList<>();
    first.add(SourceState.initial(sourceSpec(Mode.LIVE)));
    first.add(SourceState.initial(sourceSpec(Mode.COLD)));
    for (List<SessionRecord> journal : withLosses(SOURCE_JOURNALS)) {
      first.add(SourceMachine.recovered(journal, moment(1)));
    }
    SourceMachine machine = new SourceMachine(HASTY);
    search(
        first,
        (state, event) -> machine.step(state, event, moment(now += 10)),
        SourceAction.Work.class,
        HandoverModelTest::sourceAnswers,
        HandoverModelTest::sourceEvents,
        SourceState::state,
        state ->
            List.of(
                    state.position().state(),
                    state.step(),
                    state.device(),
                    state.handover().decision(),
                    state.handover().endAllowed(),
                    state.handover().pauseAsked(),
                    Math.min(state.tries(), 3),
                    state.command(),
                    state.round().sent().dry(),
                    state.spec().mode(),
                    state.recovered())
                .toString(),
        found);
    assertThat(found).isEqualTo(inModel("GO\\(src, (\\w+), (\\w+),"));
  }

  @Test
  void theModelOfTheDestinationGoesWhereItsMachineGoes() {
    Set<String> found = new TreeSet<>();
    List<DestinationState> first = new ArrayList<>();
    first.add(DestinationState.initial(DESTINATION));
    for (List<SessionRecord> journal : withLosses(destinationJournals())) {
      first.add(DestinationMachine.recovered(journal, moment(1)));
    }
    DestinationMachine machine = new DestinationMachine(HASTY);
    search(
        first,
        (state, event) -> machine.step(state, event, moment(now += 10)),
        DestinationAction.Work.class,
        HandoverModelTest::destinationAnswers,
        HandoverModelTest::destinationEvents,
        DestinationState::state,
        state ->
            List.of(
                    state.position().state(),
                    state.step(),
                    state.device(),
                    state.handover().loaded(),
                    state.handover().activating(),
                    state.handover().streamWaits(),
                    state.doubtedSinceNanos() == 0,
                    state.lost(),
                    Math.min(state.tries(), 3),
                    state.command(),
                    state.recovered())
                .toString(),
        found);
    assertThat(found).isEqualTo(inModel("GO\\(dst, (\\w+), (\\w+),"));
  }

  @Test
  void theModelGoesOnFromJournalsAsTheMachinesDo() {
    assertThat(replayed(SOURCE_JOURNALS, false)).isEqualTo(inModel("REPLAY\\(srcLog, (\\w+), src, (\\w+)\\)"));
    assertThat(replayed(destinationJournals(), false))
        .isEqualTo(inModel("REPLAY\\(dstLog, (\\w+), dst, (\\w+)\\)"));
  }

  /** Where an entry tells all that is to be known, what was lost behind it changes nothing. */
  @Test
  void theModelGoesOnFromDamagedJournalsAsTheMachinesDo() {
    Set<String> damaged = replayed(SOURCE_JOURNALS, true);
    damaged.addAll(replayed(destinationJournals(), true));
    Set<String> model = inModel("DAMAGED\\(\\w+, (\\w+), \\w+, (\\w+)\\)");
    Set<String> named = model.stream().map(pair -> pair.split(" ")[0]).collect(Collectors.toSet());
    inModel("REPLAY\\(\\w+, (\\w+), \\w+, (\\w+)\\)").stream()
        .filter(pair -> !named.contains(pair.split(" ")[0]))
        .forEach(model::add);
    assertThat(damaged).isEqualTo(model);
  }

  private long now = 1;

  private interface Machine<S, E, A> {
    Outcome<S, A> step(S state, E event);
  }

  /** A state, and the work of which the machine awaits the end; null where it awaits none. */
  private record Place<S, A>(S state, A work) {}

  private static <S, E, A> void search(
      List<S> first,
      Machine<S, E, A> machine,
      Class<? extends A> workType,
      Function<A, List<E>> answers,
      Function<S, List<E>> events,
      Function<S, SessionState> watched,
      Function<S, String> essence,
      Set<String> found) {
    Set<String> seen = new HashSet<>();
    Deque<Place<S, A>> open = new ArrayDeque<>();
    first.forEach(state -> open.add(new Place<>(state, null)));
    while (!open.isEmpty()) {
      Place<S, A> place = open.remove();
      String work = place.work() == null ? "" : place.work().getClass() + kind(place.work());
      if (!seen.add(essence.apply(place.state()) + work)) {
        continue;
      }
      List<E> next =
          place.work() == null ? events.apply(place.state()) : answers.apply(place.work());
      for (E event : next) {
        Outcome<S, A> outcome;
        try {
          outcome = machine.step(place.state(), event);
        } catch (IllegalStateException | ClassCastException notAwaited) {
          continue;
        }
        SessionState from = watched.apply(place.state());
        SessionState to = watched.apply(outcome.state());
        if (from != to) {
          found.add(from + " " + to);
        }
        A asked =
            outcome.actions().stream().filter(workType::isInstance).findFirst().orElse(null);
        open.add(new Place<>(outcome.state(), asked));
      }
    }
  }

  private static String kind(Object work) {
    return work instanceof Enum<?> constant ? constant.name() : "";
  }

  private static Stream<Failure> failures() {
    return Arrays.stream(Reason.values())
        .flatMap(
            reason ->
                Stream.of(0, Errno.ESRCH.number(), Errno.EOPNOTSUPP.number())
                    .map(errno -> new Failure(reason, "so it was", errno)));
  }

  private static List<DeviceState> deviceStates() {
    List<DeviceState> states = new ArrayList<>(List.of(DeviceState.values()));
    states.add(null);
    return states;
  }

  private static List<SourceEvent> sourceAnswers(SourceAction work) {
    List<SourceEvent> answers = new ArrayList<>();
    failures().map(SourceEvent.Failed::new).forEach(answers::add);
    if (work == SourceAction.SimpleWork.OPEN_DEVICE) {
      for (DeviceState state : deviceStates()) {
        for (boolean kept : new boolean[] {false, true}) {
          answers.add(new SourceEvent.Opened(state, true, kept));
          answers.add(new SourceEvent.Opened(state, false, kept));
        }
      }
    } else if (work == SourceAction.SimpleWork.MAP_WINDOWS) {
      for (WorkloadState workload : WorkloadState.values()) {
        answers.add(new SourceEvent.Mapped(4096, workload));
      }
    } else if (work == SourceAction.SimpleWork.RESET_RELEASED) {
      for (DeviceState state : deviceStates()) {
        answers.add(new SourceEvent.WasReset(state));
        answers.add(new SourceEvent.InUse(state));
      }
    } else if (work instanceof SourceAction.ReadPending) {
      answers.add(new SourceEvent.PendingRead(SOME));
      answers.add(new SourceEvent.PendingRead(PendingBytes.NOTHING));
    } else if (work instanceof SourceAction.CopyState) {
      answers.add(new SourceEvent.StateCopied(1, true));
      answers.add(new SourceEvent.StateCopied(0, true));
      answers.add(new SourceEvent.StateCopied(1, false));
    } else if (work instanceof SourceAction.CollectDirty) {
      answers.add(new SourceEvent.DirtyFound(1, 4096, 4096, 4096));
    } else if (work instanceof SourceAction.CopyMemory) {
      answers.add(new SourceEvent.MemoryCopied(4096, 0));
    } else {
      answers.add(new SourceEvent.Done());
    }
    return answers;
  }

  private static List<SourceEvent> sourceEvents(SourceState s) {
    boolean isNew = s.step() == SourceStep.MainStep.NEW;
    if (isNew) {
      return List.of(s.recovered() ? new SourceEvent.Recover() : new SourceEvent.Start(1));
    }
    return List.of(
        new SourceEvent.SwitchOver(1),
        new SourceEvent.Commit(1),
        new SourceEvent.RollBack(1, "because"),
        new SourceEvent.Cancel(1),
        new SourceEvent.Stop(),
        new SourceEvent.Continue(s.epoch()),
        new SourceEvent.TimerFired(s.epoch()),
        new SourceEvent.Connected(s.epoch()),
        new SourceEvent.NotConnected(s.epoch(), FAILURE),
        new SourceEvent.LoadedHeard(s.epoch()),
        new SourceEvent.LoadedNotHeard(s.epoch(), FAILURE));
  }

  private static List<DestinationEvent> destinationAnswers(DestinationAction work) {
    List<DestinationEvent> answers = new ArrayList<>();
    failures().map(DestinationEvent.Failed::new).forEach(answers::add);
    Set<DestinationAction> opening =
        Set.of(
            DestinationAction.SimpleWork.OPEN_DEVICE,
            DestinationAction.SimpleWork.RESET,
            DestinationAction.SimpleWork.RESET_FREE);
    if (opening.contains(work)) {
      for (DeviceState state : deviceStates()) {
        for (var continuity : Continuity.values()) {
          answers.add(new DestinationEvent.Opened(DEVICE, state, continuity));
        }
      }
    } else if (work == DestinationAction.SimpleWork.MAP_WINDOWS) {
      for (WorkloadState workload : WorkloadState.values()) {
        answers.add(new DestinationEvent.Mapped(List.of(), workload));
      }
    } else {
      answers.add(new DestinationEvent.Done());
    }
    return answers;
  }

  private static List<DestinationEvent> destinationEvents(DestinationState s) {
    if (s.step() == DestinationStep.MainStep.NEW) {
      return List.of(
          s.recovered() ? new DestinationEvent.Recover() : new DestinationEvent.Prepare(1));
    }
    return List.of(
        new DestinationEvent.Activate(1),
        new DestinationEvent.VerifyLoaded(1),
        new DestinationEvent.RollBack(1, "because"),
        new DestinationEvent.Cancel(1),
        new DestinationEvent.Stop(),
        new DestinationEvent.StreamStarted(),
        new DestinationEvent.StreamBroke(FAILURE),
        new DestinationEvent.StreamComplete(1, 1, 1),
        new DestinationEvent.StreamComplete(0, 0, 0),
        new DestinationEvent.TimerFired(s.epoch()),
        new DestinationEvent.Ticked(s.epoch(), 1, 1));
  }

  private static SourceSpec sourceSpec(Mode mode) {
    return new SourceSpec(
        KEY, "default/m", "vfio-user:gpu-0", "b", "host", 1, mode, 1, 0, 0, List.of());
  }

  private static Moment moment(long now) {
    return new Moment(now, now);
  }

  /** The first three one after another, then each of the two endings. */
  private static List<List<SessionRecord>> journals(
      SessionRecord first,
      SessionRecord second,
      SessionRecord third,
      List<SessionRecord> one,
      List<SessionRecord> other) {
    Set<List<SessionRecord>> journals = new LinkedHashSet<>();
    for (List<SessionRecord> ending : List.of(one, other)) {
      List<SessionRecord> all = new ArrayList<>(List.of(first, second, third));
      all.addAll(ending);
      for (int length = 1; length <= all.size(); length++) {
        journals.add(List.copyOf(all.subList(0, length)));
      }
    }
    return List.copyOf(journals);
  }

  private static List<List<SessionRecord>> destinationJournals() {
    return Stream.concat(DESTINATION_JOURNALS.stream(), DISCARDED_JOURNALS.stream()).toList();
  }

  private static List<List<SessionRecord>> withLosses(List<List<SessionRecord>> journals) {
    return Stream.concat(journals.stream(), journals.stream().map(HandoverModelTest::lost))
        .toList();
  }

  private static List<SessionRecord> lost(List<SessionRecord> journal) {
    return Stream.concat(journal.stream(), Stream.of(LOST)).toList();
  }

  /** Last good entry and session state, of journals that may have an end or not. */
  private static Set<String> replayed(List<List<SessionRecord>> journals, boolean damaged) {
    Set<String> found = new TreeSet<>();
    for (List<SessionRecord> journal : journals) {
      SessionRecord last = journal.get(journal.size() - 1);
      if (damaged && last.terminal()) {
        continue;
      }
      List<SessionRecord> read = damaged ? lost(journal) : journal;
      SessionState state =
          last instanceof SessionRecord.OfSource
              ? SourceMachine.recovered(read, moment(1)).state()
              : DestinationMachine.recovered(read, moment(1)).state();
      found.add(last.getClass().getSimpleName() + " " + state);
    }
    return found;
  }

  /** The pairs of a table of the model. */
  private static Set<String> inModel(String row) {
    Set<String> pairs = new TreeSet<>();
    Matcher rows = Pattern.compile("(?m)^ *" + row).matcher(model());
    while (rows.find()) {
      pairs.add(rows.group(1) + " " + rows.group(2));
    }
    assertThat(pairs).as(row).isNotEmpty();
    return pairs;
  }

  private static String model() {
    Path folder = Path.of("").toAbsolutePath();
    while (!Files.isDirectory(folder.resolve("crds"))) {
      folder = folder.getParent();
    }
    try {
      return Files.readString(folder.resolve("docs/model/handover.pml"));
    } catch (IOException problem) {
      throw new IllegalStateException(problem);
    }
  }
}
