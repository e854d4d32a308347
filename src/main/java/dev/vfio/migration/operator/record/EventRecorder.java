package dev.vfio.migration.operator.record;

import dev.vfio.migration.operator.api.DeviceMigration;

/**
 * Where events go. Does not block and does not fail: an event that is lost costs nobody a device.
 */
public interface EventRecorder extends AutoCloseable {
  void tell(DeviceMigration about, EventReason reason, String note);

  @Override
  void close();
}
