package dev.vfio.migration.sandbox.cluster.evidence;

import com.fasterxml.jackson.databind.JsonNode;

/**
 * One line of a device's own log.
 *
 * @param nanos CLOCK_MONOTONIC, nanoseconds; comparable between all processes of one machine
 * @param node name of the node that the device is on
 * @param device name of the device, without {@code vfio-user:}
 * @param event what happened: {@code ready}, {@code state}, {@code refused}, {@code workload},
 *     {@code fault}, {@code continuity}, {@code stop}
 * @param fields the whole line
 */
public record DeviceEvent(long nanos, String node, String device, String event, JsonNode fields) {

  /** The value of a text field, or the empty text where the line has none. */
  public String text(String field) {
    return fields.path(field).asText("");
  }

  /** Whether the device went into that state. */
  public boolean entersState(String state) {
    return event.equals("state") && text("to").equals(state);
  }

  /** Whether the workload went into that state. */
  public boolean workloadBecomes(String state) {
    return event.equals("workload") && text("to").equals(state);
  }
}
