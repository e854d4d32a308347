package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.linux.Errno;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;

/**
 * Finds everything that a session's machine does: in every state that it reaches, each event that
 * may come there, and an end of the agent with a journal that is whole or has lost its last entry.
 * States that differ in times and counts alone are taken for the same, so that the search ends.
 *
 * @param <S> state
 * @param <E> events
 * @param <A> actions
 */
abstract class SessionSearch<S, E, A> {
  /** Far more than there are. Who sees it exceeded let something into the essence that grows. */
  private static final int MAX_PLACES = 50_000;

  /** Portions, retries and times are as small as they can be. */
  static final Timings HASTY =
      new Timings(1, nanos(1), nanos(1), nanos(1), 1, nanos(1), nanos(1), 1, nanos(1));

  /** What became another state, "FROM -&gt; TO", and the shortest way there. */
  final Map<String, String> moves = new TreeMap<>();

  /** What each move follows from: a command's name, or "itself". */
  final Map<String, Set<String>> causes = new TreeMap<>();

  /** The state in which an entry is on disk, "entry -&gt; STATE", likewise. */
  final Map<String, String> entries = new TreeMap<>();

  /** What a journal with that last entry leads to, likewise. */
  final Map<String, String> replays = new TreeMap<>();

  /** The same where entries behind that one cannot be read. */
  final Map<String, String> damaged = new TreeMap<>();

  private final Map<List<String>, Object> remembered = new HashMap<>();
  private final Set<Object> seen = new HashSet<>();
  private final Deque<Place> open = new ArrayDeque<>();
  private long now = 1;

  /**
   * Where a search stands.
   *
   * @param work that the machine awaits the end of, null for none
   * @param awaited what else may be reported, each once, as long as the epoch is the same
   * @param journal what is on disk
   * @param before null for the first
   * @param by what led here
   */
  private final class Place {
    final S state;
    final A work;
    final List<E> awaited;
    final List<SessionRecord> journal;
    final Place before;
    final Object by;

    Place(S state, A work, List<E> awaited, List<SessionRecord> journal, Place before, Object by) {
      this.state = state;
      this.work = work;
      this.awaited = awaited;
      this.journal = journal;
      this.before = before;
      this.by = by;
    }

    Object essence() {
      return Arrays.asList(
          SessionSearch.this.essence(state),
          work == null ? null : cause(),
          work instanceof Enum ? work : work == null ? null : work.getClass(),
          awaited.stream().map(Object::getClass).toList(),
          remembered.computeIfAbsent(names(journal), names -> rememberedBy(journal)));
    }

    /** The last that came while no work was out: what follows from one work to the next is its. */
    String cause() {
      if (before != null && before.work != null && !(by instanceof String)) {
        return before.cause();
      }
      return isCommand(by) ? by.getClass().getSimpleName() : "itself";
    }

    String way() {
      Deque<String> way = new ArrayDeque<>();
      for (Place place = this; place.before != null; place = place.before) {
        way.addFirst(place.by + " in " + stateOf(place.before.state));
      }
      return String.join("; ", way);
    }
  }

  abstract List<S> first();

  abstract Outcome<S, A> step(S state, E event, Moment moment);

  abstract S recovered(List<SessionRecord> journal, Moment moment);

  abstract SessionState stateOf(S state);

  /** All that decides what the machine does next, without times and with counts clamped. */
  abstract Object essence(S state);

  abstract boolean isWork(A action);

  /** The session never was. */
  abstract boolean isForgotten(A action);

  /** Null where nothing is to be written. */
  abstract SessionRecord entryOf(A work);

  abstract boolean isFailure(E event);

  abstract boolean isCommand(Object event);

  /** How a work may end. */
  abstract List<E> answers(A work);

  /** What may be reported later because of an action. */
  abstract List<E> reports(A action);

  abstract long epochOf(S state);

  /** -1 for an event that has none. */
  abstract long epochAwaitedBy(E event);

  /** What may come while no work is out. */
  abstract List<E> events(S state);

  final void run() {
    for (S state : first()) {
      open.add(new Place(state, null, List.of(), List.of(), null, "the beginning"));
    }
    while (!open.isEmpty()) {
      Place place = open.remove();
      if (!seen.add(place.essence())) {
        continue;
      }
      if (seen.size() > MAX_PLACES) {
        throw new AssertionError(
            "the search does not end; it came here, among others: " + place.essence());
      }
      crash(place);
      if (place.work != null) {
        answers(place.work).forEach(answer -> go(place, answer));
      } else {
        events(place.state).forEach(event -> go(place, event));
        List.copyOf(place.awaited).forEach(event -> go(place, event));
      }
    }
  }

  /** Journals that lead to the same, and end alike, are the same. */
  private Object rememberedBy(List<SessionRecord> journal) {
    return journal.isEmpty()
        ? List.of()
        : List.of(essence(recovered(journal, moment())), name(journal.get(journal.size() - 1)));
  }

  private void go(Place place, E event) {
    Outcome<S, A> outcome;
    try {
      outcome = step(place.state, event, moment());
    } catch (RuntimeException problem) {
      throw new AssertionError(place.way() + "; then " + event, problem);
    }
    List<E> awaited = new LinkedList<>(place.awaited);
    awaited.remove(event);
    for (A action : outcome.actions()) {
      awaited.addAll(reports(action));
    }
    awaited.removeIf(later -> epochAwaitedBy(later) != epochOf(outcome.state()));
    SessionRecord written = place.work == null || isFailure(event) ? null : entryOf(place.work);
    A work = outcome.actions().stream().filter(this::isWork).findFirst().orElse(null);
    Place next =
        new Place(
            outcome.state(),
            work,
            awaited,
            written == null ? place.journal : with(place.journal, written),
            place,
            event);
    SessionState from = stateOf(place.state);
    SessionState to = stateOf(next.state);
    if (from != to) {
      note(moves, from, to, next);
      causes.computeIfAbsent(from + " -> " + to, pair -> new TreeSet<>()).add(next.cause());
    }
    if (written != null) {
      note(entries, name(written), to, next);
    }
    if (outcome.actions().stream().noneMatch(this::isForgotten)) {
      open.add(next);
    }
  }

  /** The agent ends here and comes back. */
  private void crash(Place place) {
    if (place.journal.isEmpty()) {
      return;
    }
    SessionRecord last = place.journal.get(place.journal.size() - 1);
    boolean wasDamaged = last instanceof SessionRecord.EntriesLost;
    if (!wasDamaged) {
      comeBack(place, place.journal, name(last), replays);
    }
    List<SessionRecord> torn =
        wasDamaged ? place.journal : with(place.journal, new SessionRecord.EntriesLost("torn"));
    comeBack(place, torn, name(torn.get(torn.size() - 2)), damaged);
  }

  private void comeBack(
      Place place, List<SessionRecord> journal, String last, Map<String, String> found) {
    S state = recovered(journal, moment());
    Place next =
        new Place(state, null, List.of(), journal, place, "a restart with " + names(journal));
    note(found, last, stateOf(state), next);
    // One damage is enough: a second finds nothing that the first does not, and there is no end.
    if (journal.stream().filter(SessionRecord.EntriesLost.class::isInstance).count() < 2) {
      open.add(next);
    }
  }

  private void note(Map<String, String> found, Object from, Object to, Place place) {
    found.computeIfAbsent(from + " -> " + to, pair -> place.way());
  }

  private Moment moment() {
    now += 10;
    return new Moment(now, now);
  }

  private static List<SessionRecord> with(List<SessionRecord> journal, SessionRecord entry) {
    return Stream.concat(journal.stream(), Stream.of(entry)).toList();
  }

  private static String name(SessionRecord entry) {
    return entry.getClass().getSimpleName();
  }

  private static List<String> names(List<SessionRecord> journal) {
    return journal.stream().map(SessionSearch::name).toList();
  }

  static Duration nanos(long value) {
    return Duration.ofNanos(value);
  }

  /** And null, for a device that does not tell. */
  static List<DeviceState> deviceStates() {
    List<DeviceState> states = new ArrayList<>(List.of(DeviceState.values()));
    states.add(null);
    return states;
  }

  /** One for each reason, and one for each error number that a machine knows. */
  static List<Failure> failures() {
    List<Failure> failures = new ArrayList<>();
    for (Reason reason : Reason.values()) {
      failures.add(Failure.of(reason, "so it was"));
    }
    for (Errno errno : List.of(Errno.ESRCH, Errno.EOPNOTSUPP)) {
      failures.add(new Failure(Reason.TRANSITION_FAILED, "so it was", errno.number()));
    }
    return failures;
  }
}
