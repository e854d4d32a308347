package dev.vfio.migration.operator.status;

import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * The phase, and when each phase was entered. Immutable.
 *
 * @param phase null before the operator has seen the object
 * @param transitions oldest first; the last {@link #MAX_TRANSITIONS}
 */
record PhaseHistory(Phase phase, List<PhaseTransition> transitions) {
  static final int MAX_TRANSITIONS = 32;

  /** With {@code next} entered at {@code now}; the same where that is the phase already. */
  PhaseHistory enter(Phase next, Instant now) {
    return phase == next ? this : entered(next, now);
  }

  /**
   * With an entry for the phase. Where that entry was lost, the limit of the phase would otherwise
   * be counted from nothing.
   */
  PhaseHistory withLostEntry(Instant now) {
    return phase == null || lastEntry(phase).isPresent() ? this : entered(phase, now);
  }

  private PhaseHistory entered(Phase next, Instant now) {
    PhaseTransition entry =
        new PhaseTransition(next, now.truncatedTo(ChronoUnit.MILLIS).toString());
    return new PhaseHistory(
        next,
        Stream.concat(
                transitions.stream().skip(Math.max(0, transitions.size() - MAX_TRANSITIONS + 1)),
                Stream.of(entry))
            .toList());
  }

  /** Whether {@code entered} is the phase, or was one. */
  boolean wasIn(Phase entered) {
    return phase == entered || lastEntry(entered).isPresent();
  }

  Optional<PhaseTransition> lastEntry(Phase entered) {
    return transitions.stream()
        .filter(transition -> transition.phase() == entered)
        .reduce((first, last) -> last);
  }
}
