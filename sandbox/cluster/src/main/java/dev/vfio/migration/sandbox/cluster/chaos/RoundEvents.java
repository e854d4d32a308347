package dev.vfio.migration.sandbox.cluster.chaos;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceEvent;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/** The part of a device's log that belongs to one round, with the deaths of its process in it. */
final class RoundEvents {
  private RoundEvents() {}

  /** What a killed process cannot log: that neither device nor workload runs any more. */
  static DeviceEvent death(long nanos, String node, String device, String kind) {
    ObjectNode fields = JsonNodeFactory.instance.objectNode();
    fields.put("to", "killed");
    return new DeviceEvent(nanos, node, device, kind, fields);
  }

  /**
   * The events from that time on, after the last ones before it that say in which state device and
   * workload were.
   *
   * @param nanos CLOCK_MONOTONIC
   */
  static List<DeviceEvent> since(long nanos, List<DeviceEvent> log, List<DeviceEvent> deaths) {
    List<DeviceEvent> all = new ArrayList<>(log);
    all.addAll(deaths);
    all.sort(Comparator.comparingLong(DeviceEvent::nanos));
    List<DeviceEvent> events = new ArrayList<>();
    last(all, "state", nanos).ifPresent(events::add);
    last(all, "workload", nanos).ifPresent(events::add);
    events.sort(Comparator.comparingLong(DeviceEvent::nanos));
    all.stream().filter(event -> event.nanos() >= nanos).forEach(events::add);
    return List.copyOf(events);
  }

  private static Optional<DeviceEvent> last(List<DeviceEvent> all, String kind, long before) {
    return all.stream()
        .filter(event -> event.nanos() < before && event.event().equals(kind))
        .reduce((earlier, later) -> later);
  }
}
