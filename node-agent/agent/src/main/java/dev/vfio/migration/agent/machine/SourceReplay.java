package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_AWAITING_DECISION;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_COMPLETED;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_COMPLETING;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_ROLLED_BACK;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_ROLLING_BACK;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STOPNCOPY;

import dev.vfio.migration.agent.machine.SessionRecord.*;
import dev.vfio.migration.agent.machine.SourceState.Decision;
import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import java.util.List;

/** Where a source stood when its agent ended, by its journal. Pure. */
final class SourceReplay
    implements SessionRecord.Handler<SourceState>, OfSource.Handler<SourceState> {
  private final Moment now;
  private SourceState s;

  private SourceReplay(Moment now) {
    this.now = now;
  }

  static SourceState of(List<SessionRecord> records, Moment now) {
    SourceReplay replay = new SourceReplay(now);
    for (SessionRecord record : records) {
      if (replay.s == null && !(record instanceof SourceStarted)) {
        throw new IllegalArgumentException("a source's journal begins with its start: " + record);
      }
      replay.s = record.dispatch(replay);
    }
    return replay.s;
  }

  @Override
  public SourceState on(OfSource entry) {
    return entry.handle(this);
  }

  @Override
  public SourceState on(OfDestination entry) {
    throw new IllegalArgumentException("not an entry of a source's journal: " + entry);
  }

  /**
   * An entry that cannot be read may have been EndAllowed, so the destination may be the owner:
   * only the decision leads out. Behind an entry that follows the decision only the last one can be
   * missing, and doing that work once more is harmless: a session whose device may belong to a
   * later session by now is not recovered at all.
   */
  @Override
  public SourceState on(EntriesLost entry) {
    if (s.handover().decision() != Decision.UNKNOWN) {
      return s;
    }
    Failure failure =
        Failure.of(
            Reason.JOURNAL_FAILED,
            "the journal of the source %s is damaged (%s). An entry that cannot be read may have"
                + " allowed the destination to take over, so the source does nothing by itself: it"
                + " waits, with the workload paused if it was, for the decision to commit or to"
                + " roll back. Nothing was done to the device since the agent's start. Look for the"
                + " cause of the damage on this node's disk.",
            s.spec().device(),
            entry.damage());
    return s.pausedAt(s.handover().pauseAsked() ? s.handover().pausedAtNanos() : now.nanos())
        .withEndAllowed()
        .withDevice(null)
        .withFailure(failure)
        .at(SOURCE_AWAITING_DECISION, MainStep.NEW);
  }

  @Override
  public SourceState on(SourceStarted entry) {
    return SourceState.recovered(entry.spec());
  }

  @Override
  public SourceState on(SwitchingOver entry) {
    return s.pausedAt(now.nanosAt(entry.epochNanos())).at(SOURCE_STOPNCOPY, MainStep.NEW);
  }

  /** The device was led to STOPNCOPY; what it is in now nobody has looked at. */
  @Override
  public SourceState on(EndAllowed entry) {
    return s.withEndAllowed()
        .withProgress(entry.progress())
        .at(SOURCE_AWAITING_DECISION, MainStep.NEW);
  }

  @Override
  public SourceState on(Committed entry) {
    return s.decided(Decision.COMMITTED).at(SOURCE_COMPLETING, MainStep.NEW);
  }

  @Override
  public SourceState on(Completed entry) {
    return s.withDevice(DeviceState.SAVE_COMPLETED)
        .withFailure(entry.notReset())
        .withNotReset(entry.notReset())
        .at(SOURCE_COMPLETED, MainStep.ENDED);
  }

  @Override
  public SourceState on(RollingBack entry) {
    return s.decided(entry.cancelled() ? Decision.CANCELLED : Decision.ROLLED_BACK)
        .withFailure(entry.failure())
        .at(SOURCE_ROLLING_BACK, MainStep.NEW);
  }

  @Override
  public SourceState on(RolledBack entry) {
    boolean undecided = s.handover().decision() == Decision.UNKNOWN;
    return (undecided ? s.decided(Decision.ROLLED_BACK) : s)
        .withFailure(entry.failure())
        .withProgress(entry.progress())
        .withDevice(entry.device())
        .at(SOURCE_ROLLED_BACK, MainStep.ENDED);
  }
}
