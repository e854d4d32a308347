package dev.vfio.migration.sandbox.devices.device;

import dev.vfio.migration.sandbox.devices.lifecycle.DeviceState;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;

/** The lines that the device writes into its log. */
final class DeviceEvents {
  private final EventLog log;

  DeviceEvents(EventLog log) {
    this.log = log;
  }

  void moved(DeviceState from, DeviceState to, String cause) {
    log.event(
        "state",
        line -> {
          line.writeStringField("from", from.name());
          line.writeStringField("to", to.name());
          line.writeNumberField("wire", to.wire());
          line.writeStringField("cause", cause);
        });
  }

  void refused(DeviceState from, String to, int wire, RefusalException refusal) {
    log.event(
        "refused",
        line -> {
          line.writeStringField("from", from.name());
          line.writeStringField("to", to);
          line.writeNumberField("wire", wire);
          line.writeNumberField("errno", refusal.errno());
          line.writeStringField("reason", refusal.getMessage());
        });
  }

  void steppedWhileStopped(DeviceState state, long step) {
    log.event(
        "violation",
        line -> {
          line.writeStringField("detail", "the workload was not paused when the device stopped");
          line.writeStringField("state", state.name());
          line.writeNumberField("step", step);
        });
  }

  void completedTooEarly(PendingBytes pending) {
    log.event(
        "violation",
        line -> {
          line.writeStringField("detail", "SAVE_COMPLETED before all state was read");
          line.writeNumberField("pending", pending.total());
        });
  }
}
