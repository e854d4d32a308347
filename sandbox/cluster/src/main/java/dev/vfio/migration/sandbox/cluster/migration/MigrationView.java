package dev.vfio.migration.sandbox.cluster.migration;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * What the status of a DeviceMigration says at one moment. Byte counts are bytes, rates bytes per
 * second; a field that the status does not have yet is 0 or empty.
 */
public record MigrationView(
    String phase,
    String sourceState,
    String destinationState,
    long precopyOnly,
    long compatible,
    long postcopyOnly,
    long memory,
    long transferredBytes,
    long rate,
    long dirtyPages,
    OptionalInt progressPercent,
    List<Condition> conditions) {

  /** One entry of status.conditions. */
  public record Condition(String type, String status, String reason, String message) {}

  /** Reads the whole object; one without a status gives an empty view. */
  public static MigrationView of(JsonNode object) {
    JsonNode status = object.path("status");
    JsonNode pending = status.path("pending");
    List<Condition> conditions = new ArrayList<>();
    for (JsonNode condition : status.path("conditions")) {
      conditions.add(
          new Condition(
              condition.path("type").asText(),
              condition.path("status").asText(),
              condition.path("reason").asText(),
              condition.path("message").asText()));
    }
    return new MigrationView(
        status.path("phase").asText(""),
        status.path("sourceState").asText(""),
        status.path("destinationState").asText(""),
        pending.path("precopyOnly").asLong(),
        pending.path("compatible").asLong(),
        pending.path("postcopyOnly").asLong(),
        pending.path("memory").asLong(),
        status.path("transferredBytes").asLong(),
        status.path("bytesPerSecond").asLong(),
        status.path("dirtyPages").asLong(),
        status.path("progressPercent").isInt()
            ? OptionalInt.of(status.path("progressPercent").asInt())
            : OptionalInt.empty(),
        List.copyOf(conditions));
  }

  /** Whether there is no use in waiting on: it ended, or it needs a person. */
  public boolean ended() {
    return switch (phase) {
      case "Succeeded", "Failed", "Cancelled", "ActionRequired" -> true;
      default -> false;
    };
  }

  /** Whether the copy was given up: nothing is pending any more, and nothing is done either. */
  public boolean givenUp() {
    return switch (phase) {
      case "RollingBack", "Failed", "Cancelled" -> true;
      default -> false;
    };
  }

  /** Device state and memory that are still to be moved, as far as is known. */
  public long pending() {
    return precopyOnly + compatible + postcopyOnly + memory;
  }

  /**
   * How much is done, 0 to 1. May fall when the device dirties its state; 0 where the copy was
   * given up.
   */
  public double fraction() {
    if (phase.equals("Succeeded")) {
      return 1;
    }
    if (givenUp()) {
      return 0;
    }
    if (progressPercent.isPresent()) {
      return progressPercent.getAsInt() / 100.0;
    }
    long known = transferredBytes + pending();
    return known == 0 ? 0 : (double) transferredBytes / known;
  }

  /** The conditions that say no, each with its reason and message: why it ended as it did. */
  public List<Condition> refusals() {
    return conditions.stream().filter(condition -> condition.status().equals("False")).toList();
  }

  /** Reasons and messages of the conditions that say no. */
  public String why() {
    StringBuilder text = new StringBuilder();
    for (Condition condition : refusals()) {
      text.append(
          "%s=False %s (%s) ".formatted(condition.type(), condition.reason(), condition.message()));
    }
    return text.isEmpty() ? "no condition says why" : text.toString().strip();
  }

  public Optional<Condition> condition(String type) {
    return conditions.stream().filter(condition -> condition.type().equals(type)).findFirst();
  }
}
