package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;

/** A command was refused; nothing was done. */
public class Refusal extends Exception {
  private static final long serialVersionUID = 1L;

  private final transient Failure failure;

  public Refusal(Failure failure) {
    super(failure.message());
    this.failure = failure;
  }

  public Refusal(Reason reason, String message) {
    this(Failure.of(reason, message));
  }

  public Failure failure() {
    return failure;
  }
}
