package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.vfio.device.DeviceException;

/** What devices and streams throw, as the failure that machines and the operator get. */
public final class Failures {
  private Failures() {}

  /** A failure with the same message and errno. */
  public static Failure of(DeviceException problem) {
    return new Failure(reason(problem.kind()), problem.getMessage(), problem.errno());
  }

  /** A failure with the same message. */
  public static Failure of(StreamException problem) {
    return Failure.of(reason(problem.kind()), problem.getMessage());
  }

  private static Reason reason(DeviceException.Kind kind) {
    return switch (kind) {
      case UNKNOWN_DEVICE -> Reason.UNKNOWN_DEVICE;
      case NOT_MIGRATABLE -> Reason.NO_MIGRATION_REGION;
      case BUSY -> Reason.DEVICE_BUSY;
      case UNREACHABLE -> Reason.DEVICE_UNREACHABLE;
      case TRANSITION_FAILED -> Reason.TRANSITION_FAILED;
      case STATE_LOST -> Reason.NOT_LOADED;
      case READ_FAILED -> Reason.DEVICE_READ_FAILED;
      case WRITE_FAILED -> Reason.DEVICE_WRITE_FAILED;
      case PROTOCOL_VIOLATION -> Reason.DEVICE_PROTOCOL_VIOLATION;
      case NEVER_DRY -> Reason.DEVICE_NEVER_DRY;
    };
  }

  private static Reason reason(StreamException.Kind kind) {
    return switch (kind) {
      case REFUSED -> Reason.STREAM_REFUSED;
      case BROKEN -> Reason.STREAM_BROKEN;
      case CORRUPT -> Reason.STREAM_CORRUPT;
      case UNAUTHENTICATED -> Reason.STREAM_UNAUTHENTICATED;
      case VERSION -> Reason.STREAM_VERSION;
      case NO_CAPACITY -> Reason.NO_CAPACITY;
    };
  }
}
