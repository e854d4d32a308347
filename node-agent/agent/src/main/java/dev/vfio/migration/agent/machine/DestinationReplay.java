package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_ACTIVATING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_ACTIVE;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LOADED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_STRANDED;

import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.agent.machine.SessionRecord.*;
import dev.vfio.migration.vfio.device.DeviceState;
import java.util.List;

/** Where a destination stood when its agent ended, by its journal. Pure. */
final class DestinationReplay
    implements SessionRecord.Handler<DestinationState>, OfDestination.Handler<DestinationState> {
  private final Moment now;
  private DestinationState s;

  private DestinationReplay(Moment now) {
    this.now = now;
  }

  static DestinationState of(List<SessionRecord> records, Moment now) {
    DestinationReplay replay = new DestinationReplay(now);
    for (SessionRecord record : records) {
      if (replay.s == null && !(record instanceof Prepared)) {
        throw new IllegalArgumentException(
            "a destination's journal begins with its preparation: " + record);
      }
      replay.s = record.dispatch(replay);
    }
    return replay.s;
  }

  @Override
  public DestinationState on(OfDestination entry) {
    return entry.handle(this);
  }

  @Override
  public DestinationState on(OfSource entry) {
    throw new IllegalArgumentException("not an entry of a destination's journal: " + entry);
  }

  /**
   * An entry that cannot be read may have been Loaded: then only the decision leads out. Whether
   * everything is loaded is known for certain only where Loaded itself can be read; otherwise the
   * session is not reported as LOADED, and Activate, which proves that it was reported once, looks
   * at the device first. Behind Activating the lost entry may have been StateLost, after which a
   * device is not activated, whatever state it is in.
   */
  @Override
  public DestinationState on(EntriesLost entry) {
    // One of them may have been Activating, and then the workload may have been told.
    s = s.withTold(true);
    return switch (s.state()) {
      case DESTINATION_LISTENING ->
          s.withLoaded()
              .withObstacle(
                  damaged(
                      entry,
                      "An entry that cannot be read may have said that everything is loaded, so"
                          + " nothing is discarded by itself: the decision is waited for. If the"
                          + " handover is not decided, roll back: the source holds the state."))
              .at(DESTINATION_STRANDED, MainStep.STRANDED);
      case DESTINATION_LOADED ->
          s.withObstacle(
              damaged(
                  entry,
                  "An entry that cannot be read may follow the decision. The device is looked"
                      + " at; until it is found to hold the state it does not count as"
                      + " loaded."));
      case DESTINATION_ACTIVATING ->
          s.withFailure(
                  damaged(
                      entry,
                      "The handover is committed. An entry that cannot be read may have said that"
                          + " the device runs here, or that it lost its state, so nothing is done"
                          + " to it any more. See whether the workload runs here; if it does not,"
                          + " the source still holds the state, stopped. Bring the device to its"
                          + " workload by hand, move the journal file away and restart the agent."))
              .at(DESTINATION_STRANDED, MainStep.STRANDED);
      // What is lost changes nothing: it was being discarded or had ended, or its state is lost.
      case DESTINATION_DISCARDING,
          DESTINATION_DISCARDED,
          DESTINATION_ACTIVE,
          DESTINATION_STRANDED ->
          s;
      case DESTINATION_RECEIVING ->
          throw new IllegalStateException("no entry leads to " + s.state());
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION,
          SOURCE_COMPLETING,
          SOURCE_COMPLETED,
          SOURCE_ROLLING_BACK,
          SOURCE_ROLLED_BACK,
          SOURCE_STRANDED ->
          throw s.state().ofOtherRole();
    };
  }

  private Failure damaged(EntriesLost entry, String whatFollows) {
    return Failure.of(
            Reason.JOURNAL_FAILED,
            "the journal of the destination %s is damaged (%s)",
            s.spec().device(),
            entry.damage())
        .with(whatFollows + " Look for the cause of the damage on this node's disk.");
  }

  @Override
  public DestinationState on(Prepared entry) {
    return DestinationState.recovered(entry.spec());
  }

  @Override
  public DestinationState on(Loaded entry) {
    long pausedAt = entry.pausedAtEpochNanos();
    return (pausedAt == 0 ? s : s.pausedAt(now.nanosAt(pausedAt)))
        .withLoaded()
        .withProgress(entry.progress())
        .at(DESTINATION_LOADED, MainStep.NEW);
  }

  @Override
  public DestinationState on(Activating entry) {
    // Whether the workload was told to take the device since, nothing on the disk says.
    return s.withActivating().withTold(true).at(DESTINATION_ACTIVATING, MainStep.NEW);
  }

  @Override
  public DestinationState on(StateLost entry) {
    return s.withFailure(entry.failure())
        .withTold(!Boolean.TRUE.equals(entry.neverTaken()))
        .at(DESTINATION_STRANDED, MainStep.STRANDED);
  }

  @Override
  public DestinationState on(Active entry) {
    return s.withProgress(entry.progress())
        .withDevice(DeviceState.RUNNING)
        .at(DESTINATION_ACTIVE, MainStep.ENDED);
  }

  @Override
  public DestinationState on(Discarding entry) {
    // Also behind Activating, where it was given up after it was lost.
    return s.withFailure(entry.failure()).withGivenUp().at(DESTINATION_DISCARDING, MainStep.NEW);
  }

  @Override
  public DestinationState on(Discarded entry) {
    return s.withFailure(entry.failure())
        .withNotReset(entry.notReset())
        .at(DESTINATION_DISCARDED, MainStep.ENDED);
  }
}
