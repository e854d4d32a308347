package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * What follows from an observation: first the status is recorded, then the commands are given. So a
 * command is never given that the record does not account for.
 *
 * @param status the status to record; equal to the observed one where nothing changed
 * @param commands what to do once it is recorded
 * @param checkAgain when to look again although nothing was reported: the next timeout; empty where
 *     only an event can change anything
 * @param finished terminal, and nothing is left to be cleaned up: the object may be removed
 */
public record Decision(
    DeviceMigrationStatus status,
    List<Command> commands,
    Optional<Duration> checkAgain,
    boolean finished) {
  public Decision {
    commands = List.copyOf(commands);
  }
}
