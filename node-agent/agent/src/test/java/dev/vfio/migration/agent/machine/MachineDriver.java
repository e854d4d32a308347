package dev.vfio.migration.agent.machine;

import java.util.ArrayList;
import java.util.List;

/**
 * Hands events to a machine and keeps what it wants done.
 *
 * @param <S> state
 * @param <E> events
 * @param <A> actions
 */
class MachineDriver<S, E, A> {

  /** The machine under test. */
  interface Machine<S, E, A> {
    Outcome<S, A> step(S state, E event, Moment now);
  }

  private final Machine<S, E, A> machine;

  /** What the last event led to. */
  final List<A> actions = new ArrayList<>();

  /** What every event led to. */
  final List<A> all = new ArrayList<>();

  S state;
  long now = 1_000_000_000L;

  /** Passes before each event. */
  long stepNanos = 1000;

  MachineDriver(Machine<S, E, A> machine, S initial) {
    this.machine = machine;
    this.state = initial;
  }

  @SafeVarargs
  final MachineDriver<S, E, A> on(E... events) {
    for (E event : events) {
      now += stepNanos;
      Outcome<S, A> outcome = machine.step(state, event, now());
      state = outcome.state();
      actions.clear();
      actions.addAll(outcome.actions());
      all.addAll(outcome.actions());
    }
    return this;
  }

  Moment now() {
    return new Moment(now, now);
  }

  A last() {
    return actions.get(actions.size() - 1);
  }
}
