package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_COMPLETED;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_COMPLETING;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_ROLLED_BACK;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_ROLLING_BACK;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STRANDED;
import static dev.vfio.migration.agent.machine.SourceMachine.expect;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceState.Decision;
import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.vfio.device.DeviceState;

/**
 * How a source ends after Committed: the device cleans up, the workload is released, and the device
 * is reset ({@link SourceRelease}). Part of {@link SourceMachine}, and as pure.
 *
 * <pre>
 *  AWAITING_DECISION -- Commit --&gt; [Committed]
 *    COMPLETING  SAVE_COMPLETED, release of the workload, reset; each is tried again until it is done
 *    [Completed] COMPLETED
 * </pre>
 */
final class SourceCompletion {
  private final Timings timings;
  private final SourceRelease release;

  SourceCompletion(Timings timings, SourceRelease release) {
    this.timings = timings;
    this.release = release;
  }

  Outcome<SourceState, SourceAction> commit(SourceState s, Command command) {
    return switch (s.state()) {
      case SOURCE_COMPLETED -> SourceMachine.accept(s, command);
      case SOURCE_COMPLETING ->
          s.step() == CompletionStep.COMPLETE_RESTING
              ? complete(s).after(new Reply(command.command(), null))
              : SourceMachine.accept(s, command);
      case SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, SOURCE_STRANDED ->
          SourceMachine.refuse(
              s,
              command,
              Reason.ALREADY_ROLLED_BACK,
              "the source is rolled back (" + s.state().description() + "); it was not committed");
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION ->
          s.handover().endAllowed()
              ? Outcome.of(
                  s.at(CompletionStep.JOURNALLING_COMMIT).withCommand(command.command()),
                  SimpleAction.CLOSE_STREAM,
                  new Journal(new SessionRecord.Committed()))
              : SourceMachine.refuse(
                  s,
                  command,
                  Reason.NOT_LOADED,
                  "the source has not sent everything yet ("
                      + s.state().description()
                      + "); nothing was done");
      case DESTINATION_LISTENING,
          DESTINATION_RECEIVING,
          DESTINATION_LOADED,
          DESTINATION_ACTIVATING,
          DESTINATION_ACTIVE,
          DESTINATION_DISCARDING,
          DESTINATION_DISCARDED,
          DESTINATION_STRANDED ->
          throw s.state().ofOtherRole();
    };
  }

  /** Committed is journalled: makes the device clean up. */
  Outcome<SourceState, SourceAction> complete(SourceState s) {
    if (!s.device().open()) {
      return Outcome.of(
          s.at(SOURCE_COMPLETING, CompletionStep.COMPLETE_REOPENING), SimpleWork.OPEN_DEVICE);
    }
    // A device that was reset meanwhile has nothing left to clean up; the later interfaces call
    // what that leads to RUNNING.
    boolean clean =
        s.device().state() == DeviceState.SAVE_COMPLETED
            || s.device().state() == DeviceState.NONE
            || s.device().state() == DeviceState.RUNNING;
    return clean
        ? release(s)
        : Outcome.of(
            s.at(SOURCE_COMPLETING, CompletionStep.COMPLETE_SAVING),
            new Transition(DeviceState.SAVE_COMPLETED));
  }

  Outcome<SourceState, SourceAction> step(CompletionStep step, SourceState s, SourceEvent event) {
    Failure failure = event instanceof SourceEvent.Failed failed ? failed.failure() : null;
    return switch (step) {
      case JOURNALLING_COMMIT -> commitJournalled(s, failure);
      case COMPLETE_REOPENING ->
          failure != null
              ? restBeforeCompleting(s, failure)
              : complete(s.deviceOpened(expect(Opened.class, s, event)));
      case COMPLETE_SAVING ->
          failure != null
              ? notSaved(s, failure)
              : release(s.withDevice(DeviceState.SAVE_COMPLETED));
      case COMPLETE_RELEASING ->
          failure != null
              ? restBeforeCompleting(s, failure)
              : release.reset(s.withObstacle(null).withTries(0));
      case COMPLETE_RESTING -> complete(s);
      case JOURNALLING_COMPLETED ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.at(SOURCE_COMPLETED, MainStep.ENDED), SimpleAction.CLOSE_DEVICE);
    };
  }

  private Outcome<SourceState, SourceAction> commitJournalled(SourceState s, Failure failure) {
    if (failure != null) {
      return Outcome.of(
          s.at(MainStep.AWAITING_DECISION).withCommand(0), new Reply(s.command(), failure));
    }
    SourceState committed =
        s.decided(Decision.COMMITTED)
            .withFailure(null)
            .withCommand(0)
            .withTries(0)
            .at(SOURCE_COMPLETING, CompletionStep.COMPLETE_SAVING);
    return complete(committed).after(new Reply(s.command(), null));
  }

  /**
   * A device that does not report its state may have cleaned up, or been reset, before the agent
   * was restarted: then it has nothing to save, and refuses.
   */
  private Outcome<SourceState, SourceAction> notSaved(SourceState s, Failure failure) {
    boolean mayHaveBeenSaved =
        s.recovered() && s.device().state() == null && failure.reason() == Reason.TRANSITION_FAILED;
    return mayHaveBeenSaved ? release(s) : restBeforeCompleting(s.deviceClosed(), failure);
  }

  private Outcome<SourceState, SourceAction> release(SourceState s) {
    return Outcome.of(s.at(CompletionStep.COMPLETE_RELEASING), SimpleWork.RELEASE_WORKLOAD);
  }

  /** Cleaning up has all the time there is; it never gives up and never runs the device. */
  private Outcome<SourceState, SourceAction> restBeforeCompleting(SourceState s, Failure failure) {
    int tries = s.tries() + 1;
    Failure said =
        failure.with(
            "The handover is committed and the destination runs; this is clean-up at the source"
                + " and is tried again by itself.");
    SourceState next =
        s.withObstacle(said)
            .withTries(tries)
            .at(SOURCE_COMPLETING, CompletionStep.COMPLETE_RESTING);
    long times = Math.min(tries, 40);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry().multipliedBy(times)));
  }

  /**
   * The device is free only once the disk says so: an agent that came back to a journal without an
   * end would do the work once more, to a device that another migration may have by then.
   */
  private Outcome<SourceState, SourceAction> restBeforeEnding(SourceState s, Failure failure) {
    SourceState next =
        s.withObstacle(
                failure.endNotWritten("The handover is committed and the source is released."))
            .at(MainStep.END_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.look()));
  }
}
