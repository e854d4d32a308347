package dev.vfio.migration.agent.machine;

import java.util.List;

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
}
