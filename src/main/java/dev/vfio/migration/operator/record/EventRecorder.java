package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.DeviceMigration;

/** Takes events. Does not block and does not fail: no device depends on an event. */
public interface EventRecorder extends AutoCloseable {
  void record(DeviceMigration about, EventReason reason, String note);

  @Override
  void close();
}
