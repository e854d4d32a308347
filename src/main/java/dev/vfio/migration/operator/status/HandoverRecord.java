package dev.vfio.migration.operator.status;

import dev.vfio.migration.contract.v1.Role;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.Rollback;
import dev.vfio.migration.operator.api.Touched;

/**
 * The decision, and which devices commands may have reached. Immutable.
 *
 * @param decision null where none was recorded, which is read as Undecided
 * @param rollback why it was rolled back, or taken back after Committed; null unless it was
 * @param touched null where that was not recorded
 * @param fencingNumber of the leader that recorded it last; null where none was recorded
 */
record HandoverRecord(Handover decision, Rollback rollback, Touched touched, String fencingNumber) {

  /**
   * With what has to be assumed where something is missing: Undecided, and both devices touched
   * where {@code phase} lies between the first command and the end.
   */
  HandoverRecord orAssumed(Phase phase) {
    boolean underWay = phase != null && !phase.untouched() && !phase.terminal();
    Touched assumed = underWay ? Touched.BOTH : Touched.NEITHER;
    return new HandoverRecord(
        decision == null ? Handover.UNDECIDED : decision,
        rollback,
        touched == null ? assumed : touched,
        fencingNumber);
  }

  /**
   * @throws IllegalStateException where the handover is decided: it never changes again
   */
  HandoverRecord committed() {
    requireUndecided();
    return new HandoverRecord(Handover.COMMITTED, rollback, touched, fencingNumber);
  }

  /**
   * @throws IllegalStateException where the handover is decided: it never changes again
   */
  HandoverRecord rolledBack(Rollback why) {
    requireUndecided();
    return new HandoverRecord(Handover.ROLLED_BACK, why, touched, fencingNumber);
  }

  /**
   * The source runs again after all. What was decided stays recorded; this is a decision of its
   * own.
   *
   * @throws IllegalStateException where the handover is not committed, or was taken back
   */
  HandoverRecord takenBack(Rollback why) {
    if (decision != Handover.COMMITTED || rollback != null) {
      throw new IllegalStateException("only what is committed is taken back, and once");
    }
    return new HandoverRecord(decision, why, touched, fencingNumber);
  }

  HandoverRecord withTouched(Role side, boolean is) {
    return new HandoverRecord(
        decision,
        rollback,
        new Touched(
            side == Role.SOURCE ? is : touched.source(),
            side == Role.DESTINATION ? is : touched.destination()),
        fencingNumber);
  }

  HandoverRecord ledUnder(long number) {
    return new HandoverRecord(decision, rollback, touched, Long.toUnsignedString(number));
  }

  boolean isTouched(Role side) {
    return side == Role.SOURCE ? touched.source() : touched.destination();
  }

  private void requireUndecided() {
    if (decision != Handover.UNDECIDED) {
      throw new IllegalStateException(
          "the handover is decided already: " + decision.text() + "; it never changes again");
    }
  }
}
