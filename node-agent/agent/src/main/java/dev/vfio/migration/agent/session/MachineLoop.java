package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Moment;
import dev.vfio.migration.agent.machine.Outcome;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.SessionKey;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;

/**
 * Drives one machine on its session's thread: takes events in, performs what the machine answers,
 * and hands the completion of a piece of work back before anything else. So commands, timers and
 * what comes from the network are only ever seen between two pieces of work.
 *
 * @param <S> state
 * @param <E> events
 * @param <A> actions
 */
final class MachineLoop<S, E, A> {

  /** The pure part. */
  @FunctionalInterface
  interface Machine<S, E, A> {
    Outcome<S, A> step(S state, E event, Moment now);
  }

  /** The part that touches the world. */
  interface Effects<S, E, A> {
    /**
     * Performs the action.
     *
     * @return the completion of a piece of work, null for every other action
     */
    E perform(A action);

    /** A piece of work ended with a fault of ours. */
    E broken(A action, Throwable fault);

    /** A fault of ours: an event was not taken. The state is as before. */
    void stuck(Throwable fault);

    /** The machine is about to take an event. */
    void takes(S state, E event);

    /** The state that is in force from now on. Called before its actions are performed. */
    void entered(S state);
  }

  private final Machine<S, E, A> machine;
  private final Effects<S, E, A> effects;
  private final SessionThread thread;
  private final SessionClock clock;
  private final Queue<E> waiting = new ConcurrentLinkedQueue<>();
  // Owned by the session's thread.
  private S state;

  MachineLoop(
      Machine<S, E, A> machine,
      Effects<S, E, A> effects,
      SessionThread thread,
      SessionClock clock,
      S initial) {
    this.machine = machine;
    this.effects = effects;
    this.thread = thread;
    this.clock = clock;
    this.state = initial;
  }

  /** Hands an event in, from any thread. */
  void post(E event) {
    waiting.add(event);
    thread.execute(this::takeOne);
  }

  /** Whether an event waits for its turn. For any thread. */
  boolean eventWaits() {
    return !waiting.isEmpty();
  }

  private void takeOne() {
    E event = waiting.poll();
    if (event != null) {
      handle(event);
    }
  }

  private void handle(E first) {
    E event = first;
    while (event != null) {
      Outcome<S, A> outcome;
      effects.takes(state, event);
      try {
        outcome = machine.step(state, event, clock.now());
      } catch (RuntimeException | VirtualMachineError | LinkageError fault) {
        effects.stuck(fault);
        return;
      }
      state = outcome.state();
      effects.entered(state);
      event = null;
      for (A action : outcome.actions()) {
        E completion = perform(action);
        if (completion != null && event != null) {
          throw new IllegalStateException("two pieces of work in one step: " + outcome.actions());
        }
        event = completion != null ? completion : event;
      }
    }
  }

  /** The fault, as an exception that a watcher can log. */
  static RuntimeException reportable(Throwable fault) {
    return fault instanceof RuntimeException known
        ? known
        : new IllegalStateException(fault.toString(), fault);
  }

  /** What the operator hears of a fault of ours. */
  static Failure failure(SessionKey key, Throwable fault) {
    return Failure.of(
        Reason.INTERNAL_ERROR,
        "a fault in the agent: the session %s did not take an event and is as before (%s). Roll"
            + " back, or restart the agent, which goes on from the journal.",
        key,
        fault);
  }

  private E perform(A action) {
    try {
      return effects.perform(action);
    } catch (RuntimeException | VirtualMachineError | LinkageError fault) {
      // No memory left counts as any other failure: the session goes its way back.
      return effects.broken(action, fault);
    }
  }
}
