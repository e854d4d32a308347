package dev.vfio.migration.agent.machine;

import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.linux.Errno;
import java.util.Objects;
import java.util.Optional;

/**
 * Something was refused or went wrong.
 *
 * @param reason for programs
 * @param message for people: what, where, what was done to the device, what to do next; one line of
 *     at most {@link ForeignText#MAX_MESSAGE_BYTES} bytes, whatever was put into it
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

  /** As {@link String#format}. */
  public static Failure of(Reason reason, String format, Object... values) {
    return of(reason, String.format(format, values));
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

  /** As {@link String#format}. */
  Failure with(String format, Object... values) {
    return with(String.format(format, values));
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
}
