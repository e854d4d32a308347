package dev.vfio.migration.sandbox.chaos;

import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.decision.Command;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;

/**
 * Who may command what: a leader under a number that it recorded before, and a replica that does
 * not lead only what begins nothing, under a number that a leader recorded.
 */
final class CommandRules {
  private static final Set<Class<?>> BEGIN_NOTHING =
      Set.of(
          Command.Inspect.class,
          Command.VerifyLoaded.class,
          Command.Activate.class,
          Command.RollBack.class,
          Command.Cancel.class);

  private final Set<String> numbers = new HashSet<>();

  /** The API server took a status. */
  void recorded(DeviceMigrationStatus status) {
    if (status.fencingNumber() != null) {
      numbers.add(status.fencingNumber());
    }
  }

  /**
   * The rule that the command breaks; empty where it breaks none.
   *
   * @param recorded the phase that is recorded when it is given
   */
  Optional<String> check(
      Replica replica, long number, Command.AgentCommand command, Phase recorded) {
    if (!replica.leads() && !BEGIN_NOTHING.contains(command.getClass())) {
      return Optional.of("F: " + replica + " does not lead and began something: " + command);
    }
    // An ending needs no other replica: its number is not recorded.
    boolean known =
        command.isQuestion()
            || recorded.terminal()
            || numbers.contains(Long.toUnsignedString(number));
    return known
        ? Optional.empty()
        : Optional.of(
            "F: " + replica + " commands under a number that nobody recorded: " + command);
  }
}
