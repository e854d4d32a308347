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
        null,
        null);
  }

  public static DeviceMigrationSpec with(DeviceMigrationSpec spec, Convergence convergence) {
    return copy(spec, convergence, spec.timeouts(), spec.cancel(), spec.switchover());
  }

  public static DeviceMigrationSpec with(DeviceMigrationSpec spec, Timeouts timeouts) {
    return copy(spec, spec.convergence(), timeouts, spec.cancel(), spec.switchover());
  }

  public static DeviceMigrationSpec with(DeviceMigrationSpec spec, Switchover switchover) {
    return copy(spec, spec.convergence(), spec.timeouts(), spec.cancel(), switchover);
  }

  public static DeviceMigrationSpec cancelled(DeviceMigrationSpec spec) {
    return copy(spec, spec.convergence(), spec.timeouts(), true, spec.switchover());
  }

  private static DeviceMigrationSpec copy(
      DeviceMigrationSpec spec,
      Convergence convergence,
      Timeouts timeouts,
      Boolean cancel,
      Switchover switchover) {
    return new DeviceMigrationSpec(
        spec.source(),
        spec.destination(),
        convergence,
        spec.transfer(),
        timeouts,
        cancel,
        switchover,
        spec.ttlSecondsAfterFinished(),
        spec.takeBack(),
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
        spec.takeBack(),
        null);
  }

  public static DeviceMigrationSpec cold(DeviceMigrationSpec spec) {
    return with(spec, new Convergence(Convergence.Mode.COLD, null, null, null, null));
  }
}
