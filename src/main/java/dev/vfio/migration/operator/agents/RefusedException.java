package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Reason;
import io.grpc.Status;

/**
 * An agent did not carry a command out. The message says why, in the agent's words where it
 * answered.
 */
public final class RefusedException extends Exception {
  private static final long serialVersionUID = 1L;

  private final Reason reason;
  private final boolean lasting;

  private RefusedException(String message, Throwable cause, Reason reason, boolean lasting) {
    super(message, cause);
    this.reason = reason;
    this.lasting = lasting;
  }

  static RefusedException of(String node, Throwable failure) {
    Reason reason = CallFailures.reason(failure);
    String text = Status.fromThrowable(failure).getDescription();
    String message =
        reason == Reason.REASON_UNSPECIFIED || text == null
            ? "the agent on " + node + " did not answer: " + CallFailures.describe(failure)
            : text;
    return new RefusedException(message, failure, reason, CallFailures.lasting(failure));
  }

  static RefusedException outOfReach(String node, String cause) {
    return new RefusedException(
        "the agent on " + node + " cannot be reached: " + cause,
        null,
        Reason.REASON_UNSPECIFIED,
        false);
  }

  /** Nothing was sent: it is too early for the command, and trying again helps. */
  public static RefusedException tooEarly(String message) {
    return new RefusedException(message, null, Reason.NOT_READY, false);
  }

  /** Why, for programs. */
  public Reason reason() {
    return reason;
  }

  /** True when repeating the command cannot help. */
  public boolean lasting() {
    return lasting;
  }
}
