package dev.vfio.migration.sandbox.cluster.rounds;

import dev.vfio.migration.sandbox.cluster.migration.MigrationView;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;

/** What is wrong with the status of a migration after a fault, by itself. */
public final class StatusFindings {
  /** Words with which a message tells a person what to do. */
  private static final Pattern ACTION =
      Pattern.compile(
          "(?i)to be done|must|see to|restore|restart|reset|mend|bring|find out|check|look at"
              + "|make sure|start the");

  private StatusFindings() {}

  /**
   * An end that does not fit its handover, none in time, or a call for a person that says not what
   * to do.
   *
   * @param moved whether the handover is Committed
   */
  public static List<String> of(MigrationView view, boolean moved) {
    List<String> found = new ArrayList<>();
    boolean fits =
        switch (view.phase()) {
          case "Succeeded" -> moved;
          case "Failed", "Cancelled" -> !moved;
          case "ActionRequired" -> true;
          default -> false;
        };
    if (!fits) {
      found.add(
          "the migration did not end in time: phase '%s', %s".formatted(view.phase(), view.why()));
    }
    if (view.phase().equals("ActionRequired")) {
      String message = view.condition("Succeeded").map(MigrationView.Condition::message).orElse("");
      if (!ACTION.matcher(message).find()) {
        found.add("ActionRequired names no action: '" + message + "'");
      }
    }
    return found;
  }

  /** Whether nothing is left to do for the migration. */
  public static boolean settled(MigrationView view) {
    return switch (view.phase()) {
      case "Failed", "Cancelled" -> true;
      case "Succeeded" ->
          view.condition("Succeeded")
              .filter(condition -> condition.reason().equals("Completed"))
              .isPresent();
      default -> false;
    };
  }
}
