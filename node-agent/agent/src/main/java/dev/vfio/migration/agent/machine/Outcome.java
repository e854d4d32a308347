package dev.vfio.migration.agent.machine;

import java.util.List;
import java.util.stream.Stream;

/**
 * What a machine answers to an event.
 *
 * @param <S> its state
 * @param <A> its actions
 * @param state the state from now on
 * @param actions to be performed in this order, once {@code state} is in force; at most one of them
 *     is work, whose completion is the very next event
 */
public record Outcome<S, A>(S state, List<A> actions) {
  public Outcome {
    actions = List.copyOf(actions);
  }

  @SafeVarargs
  public static <S, A> Outcome<S, A> of(S state, A... actions) {
    return new Outcome<>(state, List.of(actions));
  }

  /** The same with those actions first. */
  Outcome<S, A> after(List<? extends A> first) {
    return new Outcome<>(state, Stream.concat(first.stream(), actions.stream()).toList());
  }

  /** The same with that action first. */
  Outcome<S, A> after(A first) {
    return after(List.of(first));
  }

  /** The same with that action last. */
  Outcome<S, A> then(A last) {
    return new Outcome<>(state, Stream.concat(actions.stream(), Stream.of(last)).toList());
  }
}
