package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.text.ForeignText;
import java.util.Objects;
import java.util.Optional;

/**
 * Something was refused or went wrong.
 *
 * @param reason for programs
 * @param message for people: what, where, what was done to the device, what to do next; one line of
 *     at most {@link ForeignText#LONGEST_MESSAGE} bytes, whatever was put into it
 * @param errno 0 where no system call failed
 */
public record Failure(Reason reason, String message, int errno) {
  public Failure {
    Objects.requireNonNull(reason);
    message = ForeignText.message(message);
  }

  public static Failure of(Reason reason, String message) {
    return new Failure(reason, message, 0);
  }

  public static Failure of(DeviceException problem) {
    return new Failure(reason(problem.kind()), problem.getMessage(), problem.errno());
  }

  public static Failure of(StreamException problem) {
    return of(reason(problem.kind()), problem.getMessage());
  }

  /**
   * What is known of the state of a device that cannot be reached; empty for every other failure. A
   * sentence.
   */
  Optional<String> stateOutOfReach() {
    if (reason != Reason.DEVICE_UNREACHABLE && reason != Reason.UNKNOWN_DEVICE) {
      return Optional.empty();
    }
    return Optional.of(
        errno == Errno.ECONNREFUSED.number()
            ? "Nobody serves the device any more: what it held has ended with its server."
            : "Whether the device still holds its state is not known: if what serves it has ended,"
                + " the state has ended with it.");
  }

  /** The same failure with one more sentence for people. */
  public Failure with(String sentence) {
    String first = message.endsWith(".") ? message : message + ".";
    return new Failure(reason, first + " " + sentence, errno);
  }

  /**
   * Of the entry that ends a session.
   *
   * @param done what became of the device, a sentence
   */
  Failure endNotWritten(String done) {
    return with(
        done
            + " The device stays this migration's until that is written, which is tried again by"
            + " itself. Make room in the journal directory, or mend its disk.");
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
