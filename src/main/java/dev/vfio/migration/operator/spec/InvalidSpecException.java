package dev.vfio.migration.operator.spec;

import dev.vfio.migration.operator.status.ConditionReason;

/** A spec that cannot be carried out. The message names the field and what is wrong with it. */
public final class InvalidSpecException extends Exception {
  private static final long serialVersionUID = 1L;

  private final transient ConditionReason reason;

  public InvalidSpecException(ConditionReason reason, String message) {
    super(message);
    this.reason = reason;
  }

  /** {@link ConditionReason#INVALID_SPEC} or {@link ConditionReason#SAME_DEVICE}. */
  public ConditionReason reason() {
    return reason;
  }
}
