package dev.vfio.migration.operator.decision;

import dev.vfio.migration.operator.api.Condition.Status;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Handover;
import dev.vfio.migration.operator.api.Phase;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;

/**
 * The decision table's entrance. What a migration may do depends first on who owns the state, then
 * on its phase:
 *
 * <pre>
 * Undecided   Pending, Validating                      {@link Admission}       nothing was touched
 *             Preparing, PreCopy, SwitchingOver        {@link BeforeHandover}  everything can go back
 * Committed   Committed, ActionRequired, Succeeded     {@link AfterCommitted}  only forward
 * RolledBack  RollingBack, ActionRequired, Failed,     {@link AfterRolledBack} only back
 *             Cancelled
 * </pre>
 */
public final class Decisions {
  /**
   * How soon to look again while a command is under way or an agent is waited for, should no event
   * come.
   */
  static final Duration SOON = Duration.ofSeconds(2);

  private Decisions() {}

  /** What follows from {@code seen}. */
  public static Decision decide(Observation seen) {
    Handover handover =
        seen.status().handover() == null ? Handover.UNDECIDED : seen.status().handover();
    return switch (handover) {
      case UNDECIDED -> undecided(seen);
      case COMMITTED ->
          new LostRecord(seen)
              .withoutItsPhase(Phase.COMMITTED)
              .orElseGet(() -> new AfterCommitted(seen).decide());
      case ROLLED_BACK ->
          new LostRecord(seen)
              .withoutItsPhase(Phase.ROLLING_BACK)
              .orElseGet(() -> new AfterRolledBack(seen).decide());
    };
  }

  private static Decision undecided(Observation seen) {
    return new LostRecord(seen).decide().orElseGet(() -> begunOrNot(seen));
  }

  private static Decision begunOrNot(Observation seen) {
    Phase phase = seen.status().phase() == null ? Phase.PENDING : seen.status().phase();
    return switch (phase) {
      case PENDING -> new Admission(seen).pending();
      case VALIDATING -> new Admission(seen).validating();
      case PREPARING -> new BeforeHandover(seen).preparing();
      case PRE_COPY -> new BeforeHandover(seen).preCopy();
      case SWITCHING_OVER -> new BeforeHandover(seen).switchingOver();
      case COMMITTED, SUCCEEDED, ROLLING_BACK, FAILED, CANCELLED, ACTION_REQUIRED ->
          throw new IllegalStateException("phase " + phase.text() + " without a decision");
    };
  }

  /**
   * For a spec that cannot be carried out any more although the migration is under way, because it
   * was stored under another schema: what is undecided goes back, what is decided is ended.
   *
   * @param seen with what is left of the spec
   */
  public static Decision underWay(Observation seen, InvalidSpecException problem) {
    boolean undecided =
        seen.status().handover() == null || seen.status().handover() == Handover.UNDECIDED;
    if (!undecided) {
      return decide(seen);
    }
    return new LostRecord(seen)
        .decide()
        .orElseGet(
            () ->
                new BeforeHandover(seen)
                    .backTo(
                        problem.reason(),
                        "This version of the operator cannot carry the spec out: "
                            + problem.getMessage()));
  }

  /** True before anything was touched: then a spec that cannot be carried out just fails. */
  public static boolean untouched(DeviceMigrationStatus status) {
    return status.phase() == null
        || status.phase() == Phase.PENDING
        || status.phase() == Phase.VALIDATING;
  }

  /**
   * For a spec that cannot be carried out: fails where nothing was touched. Otherwise, where not
   * even both ends are known, it can only say so.
   */
  public static Decision invalid(
      Instant now, long generation, DeviceMigrationStatus status, InvalidSpecException problem) {
    boolean decided = status.handover() != null && status.handover() != Handover.UNDECIDED;
    if (status.phase() != null && status.phase().terminal()) {
      return new Decision(status, List.of(), Optional.empty(), true);
    }
    StatusDraft draft = new StatusDraft(now, generation, status);
    if (!untouched(status) || decided) {
      draft.condition(
          ConditionType.SUCCEEDED,
          Status.UNKNOWN,
          problem.reason(),
          "Left as it is, because the spec does not even say between which devices: "
              + problem.getMessage()
              + " Install the version of the operator that this object was made for.");
      return new Decision(
          draft.build(status.attempt() == null ? 0 : status.attempt()),
          List.of(),
          Optional.empty(),
          false);
    }
    String message = problem.getMessage() + " Nothing was touched.";
    draft.enter(Phase.PENDING).refused(problem.reason(), message);
    return new Decision(draft.build(0), List.of(), Optional.empty(), true);
  }
}
