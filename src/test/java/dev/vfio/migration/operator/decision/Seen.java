package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.PhaseTransition;
import java.time.Duration;
import java.time.Instant;

/** First sights of a process that was there all the time, and whose clocks agree. */
final class Seen {
  private Seen() {}

  static FirstSights fromTheBeginning(DeviceMigrationStatus status, Instant now) {
    FirstSights sights = FirstSights.NONE.and(status, now);
    for (PhaseTransition transition : status.phaseTransitions()) {
      sights =
          sights.atLeast(transition, Duration.between(Instant.parse(transition.time()), now), now);
    }
    return sights;
  }
}
