package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.status.FirstSeenTimes;
import java.time.Duration;
import java.time.Instant;

/** First seen times of a process that saw every entry being written, and whose clocks agree. */
final class FirstSeenFixtures {
  private FirstSeenFixtures() {}

  static FirstSeenTimes fromTheBeginning(DeviceMigrationStatus status, Instant now) {
    FirstSeenTimes firstSeen = FirstSeenTimes.NONE.and(status, now);
    for (PhaseTransition transition : status.phaseTransitions()) {
      firstSeen =
          firstSeen.atLeast(
              transition, Duration.between(Instant.parse(transition.time()), now), now);
    }
    return firstSeen;
  }
}
