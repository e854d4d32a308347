package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.DestinationMachine.expect;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_STRANDED;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.ResetAdvice;
import java.util.ArrayList;
import java.util.List;

/**
 * The discarding of what a destination took in. Part of {@link DestinationMachine}, and as pure.
 *
 * <pre>
 *  [Discarding] DISCARDING
 *    FAILED, reset --&gt; a workload that was given the device gives it back
 *  [Discarded] DISCARDED, and says so where the device could not be reset
 * </pre>
 */
final class DestinationDiscard {
  private final Timings timings;
  private final LoadedWatch watch;

  DestinationDiscard(Timings timings, LoadedWatch watch) {
    this.timings = timings;
    this.watch = watch;
  }

  Outcome<DestinationState, DestinationAction> discardAsked(
      DestinationState s, Failure failure, Command command) {
    return switch (s.state()) {
      case DESTINATION_DISCARDED, DESTINATION_DISCARDING -> DestinationMachine.accept(s, command);
      // Where the journal is damaged, that it is ACTIVE may be all that is known of the decision.
      case DESTINATION_ACTIVATING, DESTINATION_ACTIVE -> alreadyCommitted(s, command);
      case DESTINATION_STRANDED ->
          s.handover().activating()
              ? alreadyCommitted(s, command)
              : discard(s, failure, command.command());
      case DESTINATION_LISTENING, DESTINATION_RECEIVING, DESTINATION_LOADED ->
          discard(s, failure, command.command());
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

  /**
   * After Committed, so that the source may run again. Only where it is certain that the workload
   * here was never told to take the device, and that the device does not run. It never will: what
   * is journalled keeps a later Activate out.
   */
  Outcome<DestinationState, DestinationAction> giveUp(DestinationState s, GiveUp command) {
    return switch (s.state()) {
      case DESTINATION_DISCARDED, DESTINATION_DISCARDING -> DestinationMachine.accept(s, command);
      case DESTINATION_STRANDED ->
          mayBeGivenUp(s)
              ? journalGivenUp(s, command)
              : notGivenUp(
                  s,
                  command,
                  s.handover().told()
                      ? "its workload may have run with the device, and what it did since would be"
                          + " undone"
                      : "what state its device is in is not known");
      case DESTINATION_LOADED, DESTINATION_ACTIVATING ->
          notGivenUp(s, command, "nothing here is lost");
      case DESTINATION_ACTIVE -> notGivenUp(s, command, "its workload runs here");
      case DESTINATION_LISTENING, DESTINATION_RECEIVING ->
          notGivenUp(s, command, "it does not hold everything yet, so nothing can be committed");
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

  /** Lost, or in a state that is known and in which nothing runs. */
  private static boolean mayBeGivenUp(DestinationState s) {
    boolean standsStill =
        s.device().open()
            && s.device().state() != null
            && s.device().state() != DeviceState.RUNNING;
    return s.handover().activating() && !s.handover().told() && (s.lost() || standsStill);
  }

  private static Outcome<DestinationState, DestinationAction> journalGivenUp(
      DestinationState s, GiveUp command) {
    Failure why =
        Failure.of(
            Reason.ROLLED_BACK,
            "given up after the handover was committed, so that the source runs again: "
                + command.reason());
    return Outcome.of(
        s.withCommand(command.command())
            .withObstacle(why)
            .withTries(0)
            .at(DiscardStep.JOURNALLING_GIVEN_UP),
        new Journal(new SessionRecord.Discarding(why)));
  }

  /** Until it is on the disk that it is given up, it is what it was: lost, and this node's. */
  private Outcome<DestinationState, DestinationAction> givenUpJournalled(
      DestinationState s, Failure failure) {
    DestinationState asked = s.withCommand(0).withObstacle(null);
    return failure != null
        ? Outcome.of(
            asked.at(DESTINATION_STRANDED, MainStep.STRANDED), new Reply(s.command(), failure))
        : openToDiscard(asked.withFailure(s.problems().obstacle()).withGivenUp())
            .after(new Reply(s.command(), null));
  }

  private static Outcome<DestinationState, DestinationAction> notGivenUp(
      DestinationState s, Command command, String why) {
    return DestinationMachine.refuse(
        s,
        command,
        Reason.ALREADY_COMMITTED,
        String.format(
            "the device %s is not given up, because %s (%s). Nothing was done.",
            s.spec().device(), why, s.state().description()));
  }

  private static Outcome<DestinationState, DestinationAction> alreadyCommitted(
      DestinationState s, Command command) {
    return DestinationMachine.refuse(
        s,
        command,
        Reason.ALREADY_COMMITTED,
        String.format(
            "the handover was committed; the device %s belongs to this node (%s)",
            s.spec().device(), s.state().description()));
  }

  Outcome<DestinationState, DestinationAction> discard(
      DestinationState s, Failure failure, long command) {
    List<DestinationAction> actions = new ArrayList<>();
    if (s.handover().streamWaits()) {
      actions.add(new RejectLoaded(failure));
    }
    actions.add(SimpleAction.CLOSE_STREAMS);
    actions.add(new Journal(new SessionRecord.Discarding(failure)));
    // What is loaded is not given up before that is on disk: watchers see it loaded until then.
    SessionState state = s.handover().loaded() ? s.state() : DESTINATION_DISCARDING;
    return new Outcome<>(
        s.withFailure(failure)
            .withCommand(command)
            .withStreamWaits(false)
            .withTries(0)
            .at(state, DiscardStep.JOURNALLING_DISCARD),
        actions);
  }

  Outcome<DestinationState, DestinationAction> openToDiscard(DestinationState s) {
    return Outcome.of(
        s.deviceClosed().at(DESTINATION_DISCARDING, DiscardStep.DISCARD_OPENING),
        SimpleWork.OPEN_DEVICE);
  }

  Outcome<DestinationState, DestinationAction> step(
      DiscardStep step, DestinationState s, DestinationEvent event) {
    Failure failure = event instanceof DestinationEvent.Failed failed ? failed.failure() : null;
    return switch (step) {
      case JOURNALLING_DISCARD -> discardJournalled(s, failure);
      case JOURNALLING_GIVEN_UP -> givenUpJournalled(s, failure);
      case DISCARD_OPENING ->
          failure != null
              ? restBeforeDiscarding(s, failure)
              : failOrLeave(s, expect(Opened.class, s, event));
      case DISCARD_FAILING ->
          // Refused or not: the reset is what counts.
          Outcome.of(
              (failure == null ? s.withDevice(DeviceState.FAILED) : s)
                  .at(DiscardStep.DISCARD_RESETTING),
              SimpleWork.RESET);
      case DISCARD_RESETTING ->
          failure != null
              ? restBeforeDiscarding(s, failure)
              : reset(s.deviceOpened(expect(Opened.class, s, event).state()));
      case DISCARD_RESTING -> openToDiscard(s);
      case TAKING_BACK -> failure != null ? restBeforeTakingBack(s, failure) : journalDiscarded(s);
      case TAKE_BACK_RESTING -> takeBack(s);
      case JOURNALLING_DISCARDED ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.at(DESTINATION_DISCARDED, MainStep.ENDED), SimpleAction.CLOSE_DEVICE);
    };
  }

  private Outcome<DestinationState, DestinationAction> discardJournalled(
      DestinationState s, Failure failure) {
    if (failure != null && s.handover().loaded()) {
      return watch.goOn(s.withFailure(null)).after(new Reply(s.command(), failure));
    }
    DestinationState next =
        s.withCommand(0).withObstacle(null).at(DESTINATION_DISCARDING, s.step());
    Outcome<DestinationState, DestinationAction> outcome =
        next.device().open() && next.device().touched() ? fail(next) : openToDiscard(next);
    return s.command() == 0 ? outcome : outcome.after(new Reply(s.command(), null));
  }

  /** A device that shows no trace of us holds nothing of ours, and may be somebody else's. */
  private Outcome<DestinationState, DestinationAction> failOrLeave(
      DestinationState before, Opened opened) {
    DestinationState s = before.deviceOpened(opened.state());
    boolean looksEmpty =
        s.device().state() == DeviceState.NONE
            || (opened.fresh() && s.device().state() == DeviceState.RUNNING);
    if (looksEmpty && s.device().touched()) {
      // It should hold nothing. There are drivers that keep state over the last close.
      return Outcome.of(s.at(DiscardStep.DISCARD_RESETTING), SimpleWork.RESET);
    }
    boolean leave =
        s.device().state() == null
            ? !s.device().touched()
            : s.device().state() == DeviceState.NONE || s.device().state() == DeviceState.RUNNING;
    return leave ? takeBack(s.withObstacle(null).withTries(0)) : fail(s);
  }

  /** A reset is believed after a look. */
  private Outcome<DestinationState, DestinationAction> reset(DestinationState s) {
    return s.device().state() != null && s.device().state().leftOver()
        ? restBeforeDiscarding(
            s,
            Failure.of(
                Reason.TRANSITION_FAILED,
                "the device %s was reset and says that it is in %s, so the reset did not help",
                s.spec().device(),
                s.device().state()))
        : takeBack(s.withObstacle(null).withTries(0));
  }

  /** Before it is over for good: a workload that kept the device would keep it for ever. */
  private static Outcome<DestinationState, DestinationAction> takeBack(DestinationState s) {
    return Outcome.of(s.at(DiscardStep.TAKING_BACK), SimpleWork.TAKE_BACK);
  }

  private Outcome<DestinationState, DestinationAction> restBeforeTakingBack(
      DestinationState s, Failure failure) {
    if (s.tries() < timings.retries()) {
      return DestinationMachine.retryLater(timings, s, DiscardStep.TAKE_BACK_RESTING, failure);
    }
    Failure said =
        (s.failure() != null ? s.failure() : failure)
            .with(
                String.format(
                    "The workload that was given the device %s here has not given it back (%s); end"
                        + " it before the device is used again.",
                    s.spec().device(), failure.message()));
    return journalDiscarded(s.withFailure(said).withNotReset(failure).withObstacle(null));
  }

  private Outcome<DestinationState, DestinationAction> fail(DestinationState s) {
    return Outcome.of(s.at(DiscardStep.DISCARD_FAILING), new Transition(DeviceState.FAILED));
  }

  private Outcome<DestinationState, DestinationAction> restBeforeDiscarding(
      DestinationState s, Failure failure) {
    if (s.tries() < timings.retries()) {
      return DestinationMachine.retryLater(timings, s, DiscardStep.DISCARD_RESTING, failure);
    }
    Failure said =
        (s.failure() != null ? s.failure() : failure)
            .with(
                String.format(
                    "The device %s here could not be reset (%s); it was not made to run. %s before"
                        + " it is used again: %s.",
                    s.spec().device(),
                    failure.message(),
                    failure
                        .stateOutOfReach()
                        .map(known -> known + " Where it has not, reset the device")
                        .orElse("Reset it"),
                    ResetAdvice.of(s.spec().device())));
    return takeBack(s.withFailure(said).withNotReset(failure).withObstacle(null).withTries(0));
  }

  static Outcome<DestinationState, DestinationAction> journalDiscarded(DestinationState s) {
    return Outcome.of(
        s.withObstacle(null).at(DiscardStep.JOURNALLING_DISCARDED),
        SimpleAction.CLOSE_DEVICE,
        new Journal(new SessionRecord.Discarded(s.failure(), s.problems().notReset())));
  }

  /** As at the source: the device is free only once the disk says so. */
  private Outcome<DestinationState, DestinationAction> restBeforeEnding(
      DestinationState s, Failure failure) {
    DestinationState next =
        s.withObstacle(failure.endNotWritten("What the device had taken in is discarded."))
            .at(MainStep.END_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.look()));
  }
}
