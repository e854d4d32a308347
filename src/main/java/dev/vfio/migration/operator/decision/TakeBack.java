package dev.vfio.migration.operator.decision;

import dev.vfio.migration.contract.v1.SessionState;
import dev.vfio.migration.operator.status.ConditionReason;
import java.time.Duration;
import java.util.Optional;

/**
 * What {@code spec.takeBack} asks for: after Committed the destination's device lost the state or
 * will not run, and the source, which still has its copy, is to run again. Gives GiveUp to the
 * destination. Its agent alone knows, from its journal, whether its workload may have run with the
 * device; where that cannot be excluded it refuses, and nothing is done.
 *
 * <pre>
 * the destination has given up, on its disk   RollingBack: the source is told to run
 * it refuses, or its agent is away            as without spec.takeBack; Succeeded says why
 * </pre>
 */
final class TakeBack {
  private final DecisionDraft draft;
  private final Side destination;

  TakeBack(DecisionDraft draft) {
    this.draft = draft;
    this.destination = draft.destination();
  }

  /** Empty where nothing was asked for, or where it is not to be yet. */
  Optional<Decision> decide() {
    Optional<String> why = draft.settings().takeBack();
    if (why.isEmpty()) {
      return Optional.empty();
    }
    if (destination.state() == SessionState.DESTINATION_DISCARDED && destination.reachable()) {
      draft
          .status()
          .takeBack(
              ConditionReason.TAKEN_BACK,
              """
              Taken back by spec.takeBack (%s): %s was given up for good, and its workload never \
              ran with it. The source, which was not told to release its copy, runs again.\
              """
                  .formatted(why.get(), destination.location()));
      return Optional.of(draft.again(Duration.ZERO));
    }
    if (destination.reachable() && destination.session().isPresent()) {
      draft.command(new Command.GiveUp(why.get()));
    }
    return destination.state() == SessionState.DESTINATION_DISCARDING
        ? Optional.of(draft.again(DecisionDraft.SOON))
        : Optional.empty();
  }

  /** Whether it is asked for and has not been refused. */
  boolean isUnderWay() {
    return draft.settings().takeBack().isPresent() && refusal().isEmpty();
  }

  private Optional<Side.Refusal> refusal() {
    return destination.refusal().filter(refusal -> refusal.command() instanceof Command.GiveUp);
  }

  /** What a person is told who asked for it; empty where nobody did. */
  String answer() {
    return draft.settings().takeBack().isEmpty()
        ? ""
        : refusal()
            .map(refusal -> " The source is not taken back: " + refusal.message())
            .orElse(
                destination.reachable()
                    ? destination.session().isPresent()
                        ? " spec.takeBack is set: the destination is asked to give up."
                        : " The source is not taken back: only the destination's agent can say"
                            + " whether its workload ran, and it no longer knows this migration."
                    : " The source is not taken back: only the destination's agent can say whether"
                        + " its workload ran, and it cannot be reached.");
  }
}
