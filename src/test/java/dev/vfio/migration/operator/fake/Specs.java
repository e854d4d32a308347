package dev.vfio.migration.operator.fake;

import dev.vfio.migration.operator.api.Convergence;
import dev.vfio.migration.operator.api.DeviceLocation;
import dev.vfio.migration.operator.api.DeviceMigrationSpec;
import dev.vfio.migration.operator.api.Switchover;
import dev.vfio.migration.operator.api.Timeouts;

/** Specs to begin with. */
public final class Specs {
  private Specs() {}

  /** node-a to node-b, everything by default. */
  public static DeviceMigrationSpec live() {
    return between(FakeNodes.SOURCE, FakeNodes.DESTINATION);
  }

  public static DeviceMigrationSpec between(String source, String destination) {
    return new DeviceMigrationSpec(
        new DeviceLocation(source, FakeAgent.DEVICE),
        new DeviceLocation(destination, FakeAgent.DEVICE),
        null,
        null,
        null,
        null,
        null,
        null,
        null);
  }

  public static DeviceMigrationSpec with(DeviceMigrationSpec spec, Convergence convergence) {
    return new DeviceMigrationSpec(
        spec.source(),
        spec.destination(),
        convergence,
        spec.transfer(),
        spec.timeouts(),
        spec.cancel(),
        spec.switchover(),
        spec.ttlSecondsAfterFinished(),
        null);
  }

  public static DeviceMigrationSpec with(DeviceMigrationSpec spec, Timeouts timeouts) {
    return new DeviceMigrationSpec(
        spec.source(),
        spec.destination(),
        spec.convergence(),
        spec.transfer(),
        timeouts,
        spec.cancel(),
        spec.switchover(),
        spec.ttlSecondsAfterFinished(),
        null);
  }

  public static DeviceMigrationSpec with(DeviceMigrationSpec spec, Switchover switchover) {
    return new DeviceMigrationSpec(
        spec.source(),
        spec.destination(),
        spec.convergence(),
        spec.transfer(),
        spec.timeouts(),
        spec.cancel(),
        switchover,
        spec.ttlSecondsAfterFinished(),
        null);
  }

  public static DeviceMigrationSpec cancelled(DeviceMigrationSpec spec) {
    return new DeviceMigrationSpec(
        spec.source(),
        spec.destination(),
        spec.convergence(),
        spec.transfer(),
        spec.timeouts(),
        true,
        spec.switchover(),
        spec.ttlSecondsAfterFinished(),
        null);
  }

  public static DeviceMigrationSpec deletedAfter(DeviceMigrationSpec spec, int seconds) {
    return new DeviceMigrationSpec(
        spec.source(),
        spec.destination(),
        spec.convergence(),
        spec.transfer(),
        spec.timeouts(),
        spec.cancel(),
        spec.switchover(),
        seconds,
        null);
  }

  public static DeviceMigrationSpec cold(DeviceMigrationSpec spec) {
    return with(spec, new Convergence(Convergence.Mode.COLD, null, null, null, null));
  }
}
