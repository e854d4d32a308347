package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_ACTIVATING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_ACTIVE;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LOADED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_STRANDED;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.ResetAdvice;
import java.util.ArrayList;
import java.util.List;

/**
 * How a destination ends: activation after Committed, and the discarding of what it took in. Part
 * of {@link DestinationMachine}, and as pure.
 */
final class DestinationEnding {
  private final Timings timings;
  private final LoadedWatch watch;

  DestinationEnding(Timings timings, LoadedWatch watch) {
    this.timings = timings;
    this.watch = watch;
  }

  // ------------------------------------------------------------------ the decision's commands

  Outcome<DestinationState, DestinationAction> activate(DestinationState s, Command command) {
    return switch (s.state()) {
      case DESTINATION_LOADED -> journalActivating(s.withCommand(command.command()));
      case DESTINATION_ACTIVE -> DestinationMachine.accept(s, command);
      case DESTINATION_ACTIVATING ->
          isResting(s)
              ? then(List.of(new Reply(command.command(), null)), activateAgain(s))
              : DestinationMachine.accept(s, command);
      case DESTINATION_STRANDED ->
          s.handover().activating() ? activateStranded(s, command) : activateDoubted(s, command);
      case DESTINATION_DISCARDING, DESTINATION_DISCARDED ->
          DestinationMachine.refuse(
              s,
              command,
              Reason.ALREADY_ROLLED_BACK,
              "the destination was rolled back ("
                  + s.state().description()
                  + "); nothing runs here");
      default ->
          DestinationMachine.refuse(
              s,
              command,
              Reason.NOT_LOADED,
              "the destination does not hold everything yet (" + s.state().description() + ")");
    };
  }

  Outcome<DestinationState, DestinationAction> discardAsked(
      DestinationState s, Failure failure, Command command) {
    return switch (s.state()) {
      case DESTINATION_DISCARDED, DESTINATION_DISCARDING -> DestinationMachine.accept(s, command);
      default ->
          s.handover().activating()
              ? DestinationMachine.refuse(
                  s,
                  command,
                  Reason.ALREADY_COMMITTED,
                  "the handover was committed; the device "
                      + s.spec().device()
                      + " belongs to this node ("
                      + s.state().description()
                      + ")")
              : discard(s, failure, command.command());
    };
  }

  /** What is lost does not come back by trying. */
  private Outcome<DestinationState, DestinationAction> activateStranded(
      DestinationState s, Command command) {
    return s.lost()
        ? DestinationMachine.accept(s, command)
        : then(List.of(new Reply(command.command(), null)), activateAgain(s));
  }

  /**
   * The decision was taken before the doubt was heard. A device that is open holds what was loaded,
   * or says that it does not when it is to run; another workload may come and take it.
   */
  private Outcome<DestinationState, DestinationAction> activateDoubted(
      DestinationState s, Command command) {
    DestinationState asked = s.withCommand(command.command());
    return s.device().open() ? journalActivating(asked) : watch.reopen(asked);
  }

  private static boolean isResting(DestinationState s) {
    return s.step() == DestinationStep.ACTIVATE_OPEN_RESTING
        || s.step() == DestinationStep.ACTIVATE_TAKE_RESTING
        || s.step() == DestinationStep.ACTIVATE_LOOK_RESTING;
  }

  /** Another try, on the device that is open: closing it might reset it. */
  private Outcome<DestinationState, DestinationAction> activateAgain(DestinationState s) {
    DestinationState again = s.withTries(0).withObstacle(null);
    boolean notKnown = s.device().state() == null;
    if (!s.device().open() || notKnown || s.step() == DestinationStep.ACTIVATE_OPEN_RESTING) {
      return openToActivate(again);
    }
    return s.device().state() == DeviceState.RUNNING ? take(again) : run(again);
  }

  // ------------------------------------------------------------------ ways in

  static Outcome<DestinationState, DestinationAction> journalActivating(DestinationState s) {
    return Outcome.of(
        s.at(DestinationStep.JOURNALLING_ACTIVATING), new Journal(new SessionRecord.Activating()));
  }

  Outcome<DestinationState, DestinationAction> discard(
      DestinationState s, Failure failure, long command) {
    List<DestinationAction> actions = new ArrayList<>();
    if (s.handover().streamWaits()) {
      actions.add(new RejectLoaded(failure));
    }
    actions.add(new CloseStreams());
    actions.add(new Journal(new SessionRecord.Discarding(failure)));
    // What is loaded is not given up before that is on disk: watchers see it loaded until then.
    SessionState state = s.handover().loaded() ? s.state() : DESTINATION_DISCARDING;
    return new Outcome<>(
        s.withFailure(failure)
            .withCommand(command)
            .withStreamWaits(false)
            .withTries(0)
            .at(state, DestinationStep.JOURNALLING_DISCARD),
        actions);
  }

  Outcome<DestinationState, DestinationAction> openToActivate(DestinationState s) {
    return Outcome.of(
        s.deviceClosed()
            .withObstacle(null)
            .at(DESTINATION_ACTIVATING, DestinationStep.ACTIVATE_OPENING),
        new OpenDevice());
  }

  Outcome<DestinationState, DestinationAction> openToDiscard(DestinationState s) {
    return Outcome.of(
        s.deviceClosed().at(DESTINATION_DISCARDING, DestinationStep.DISCARD_OPENING),
        new OpenDevice());
  }

  // ------------------------------------------------------------------ steps

  Outcome<DestinationState, DestinationAction> step(
      DestinationState s, DestinationEvent event, Moment now) {
    Failure failure = event instanceof DestinationEvent.Failed failed ? failed.failure() : null;
    return switch (s.step()) {
      case JOURNALLING_ACTIVATING -> activatingJournalled(s, failure);
      case ACTIVATE_OPENING ->
          failure != null ? restBeforeActivating(s, failure) : runOrTake(s, (Opened) event);
      case ACTIVATE_OPEN_RESTING -> openToActivate(s);
      case ACTIVATE_RUNNING -> running(s, failure, now);
      case JOURNALLING_LOST ->
          // Without this entry a restart looks at the device once more.
          Outcome.of(s.at(DESTINATION_STRANDED, DestinationStep.STRANDED));
      case ACTIVATE_TAKING -> failure != null ? restBeforeTaking(s, failure) : lookAtRunning(s);
      case ACTIVATE_TAKE_RESTING -> take(s);
      case ACTIVATE_LOOKING -> failure != null ? notSeenRunning(s, failure) : journalActive(s);
      case ACTIVATE_LOOK_RESTING -> lookAtRunning(s);
      case JOURNALLING_ACTIVE ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.at(DESTINATION_ACTIVE, DestinationStep.ENDED), new CloseDevice());
      case JOURNALLING_DISCARD -> discardJournalled(s, failure);
      case DISCARD_OPENING ->
          failure != null
              ? restBeforeDiscarding(s, failure)
              : failOrLeave(opened(s, (Opened) event), ((Opened) event).fresh());
      case DISCARD_FAILING ->
          // Refused or not: the reset is what counts.
          Outcome.of(
              (failure == null ? s.withDevice(DeviceState.FAILED) : s)
                  .at(DestinationStep.DISCARD_RESETTING),
              new Reset());
      case DISCARD_RESETTING ->
          failure != null ? restBeforeDiscarding(s, failure) : reset(opened(s, (Opened) event));
      case DISCARD_RESTING -> openToDiscard(s);
      case TAKING_BACK -> failure != null ? restBeforeTakingBack(s, failure) : journalDiscarded(s);
      case TAKE_BACK_RESTING -> takeBack(s);
      case JOURNALLING_DISCARDED ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.at(DESTINATION_DISCARDED, DestinationStep.ENDED), new CloseDevice());
      case END_RESTING -> s.handover().activating() ? journalActive(s) : journalDiscarded(s);
      case STRANDED, ENDED, REFUSED -> Outcome.of(s);
      default -> DestinationMachine.unexpected(s, event);
    };
  }

  private Outcome<DestinationState, DestinationAction> activatingJournalled(
      DestinationState s, Failure failure) {
    if (failure != null) {
      return then(List.of(new Reply(s.command(), failure)), watch.goOn(s));
    }
    DestinationState change = s.withActivating().withCommand(0).withTries(0).withObstacle(null);
    Outcome<DestinationState, DestinationAction> next =
        s.device().open() ? run(change) : openToActivate(change);
    return then(List.of(new Reply(s.command(), null)), next);
  }

  private static DestinationState opened(DestinationState s, Opened opened) {
    return s.deviceOpened(opened.state());
  }

  private Outcome<DestinationState, DestinationAction> runOrTake(
      DestinationState s, Opened opened) {
    DestinationState open = opened(s, opened);
    if (opened.state() == DeviceState.RUNNING && !opened.fresh()) {
      return take(open);
    }
    if (LoadedWatch.isLoaded(opened)) {
      return run(open);
    }
    return letGo(
        open, Failure.of(Reason.DEVICE_PROTOCOL_VIOLATION, LoadedWatch.notAsLeft(s, opened)));
  }

  private Outcome<DestinationState, DestinationAction> run(DestinationState s) {
    return Outcome.of(
        s.at(DESTINATION_ACTIVATING, DestinationStep.ACTIVATE_RUNNING),
        new Transition(DeviceState.RUNNING));
  }

  private Outcome<DestinationState, DestinationAction> running(
      DestinationState s, Failure failure, Moment now) {
    if (failure != null && failure.reason() == Reason.NOT_LOADED) {
      return lost(s, failure);
    }
    if (failure != null) {
      return failure.reason() == Reason.DEVICE_UNREACHABLE
              || failure.reason() == Reason.DEVICE_PROTOCOL_VIOLATION
          ? restBeforeActivating(s, failure)
          : stranded(s, failure);
    }
    Progress progress =
        s.handover().pausedAtNanos() == 0
            ? s.progress()
            : s.progress().withDowntime(Math.max(1, now.nanos() - s.handover().pausedAtNanos()));
    return take(s.withDevice(DeviceState.RUNNING).withProgress(progress).withTries(0));
  }

  /** The source's copy is the last one: it is not told to let go of it. */
  private static Outcome<DestinationState, DestinationAction> lost(
      DestinationState s, Failure failure) {
    Failure said =
        failure.with(
            "The handover is committed, so the source does not run again by itself; its stopped"
                + " device alone can still hold the state. Nothing is tried any more: a"
                + " person decides. Do not delete the DeviceMigration and do not end the workload"
                + " at the source before the state is saved or given up.");
    return Outcome.of(
        s.withFailure(said).withObstacle(null).at(DestinationStep.JOURNALLING_LOST),
        new Journal(new SessionRecord.StateLost(said)));
  }

  private Outcome<DestinationState, DestinationAction> take(DestinationState s) {
    return Outcome.of(
        s.at(DESTINATION_ACTIVATING, DestinationStep.ACTIVATE_TAKING), new LetWorkloadTake());
  }

  /** After the workload has taken it, so that a device that fell over meanwhile is not told. */
  private static Outcome<DestinationState, DestinationAction> lookAtRunning(DestinationState s) {
    return Outcome.of(
        s.at(DESTINATION_ACTIVATING, DestinationStep.ACTIVATE_LOOKING), new LookAtRunning());
  }

  /** Nobody is told that it runs: a success would have the source let go of the last copy. */
  private Outcome<DestinationState, DestinationAction> notSeenRunning(
      DestinationState s, Failure failure) {
    boolean connectionOver =
        failure.reason() == Reason.DEVICE_UNREACHABLE
            || failure.reason() == Reason.DEVICE_PROTOCOL_VIOLATION;
    boolean elsewhere = failure.reason() == Reason.TRANSITION_FAILED;
    if (!elsewhere && s.tries() < timings.retries()) {
      return rest(
          s,
          connectionOver
              ? DestinationStep.ACTIVATE_OPEN_RESTING
              : DestinationStep.ACTIVATE_LOOK_RESTING,
          failure);
    }
    Failure said =
        failure.with(
            "The device "
                + s.spec().device()
                + " was led to RUNNING here and its workload says that it has it, but the device"
                + " was not seen RUNNING afterwards. The handover is committed; the source was not"
                + " told to let go of its copy and stays stopped. See whether the workload works"
                + " here. Where it does not, mend the device or its driver, then activate again.");
    return Outcome.of(
        s.withObstacle(said).withDevice(null).at(DESTINATION_STRANDED, DestinationStep.STRANDED));
  }

  private Outcome<DestinationState, DestinationAction> restBeforeActivating(
      DestinationState s, Failure failure) {
    return s.tries() >= timings.retries()
        ? letGo(s, failure)
        : rest(s, DestinationStep.ACTIVATE_OPEN_RESTING, failure);
  }

  private Outcome<DestinationState, DestinationAction> restBeforeTaking(
      DestinationState s, Failure failure) {
    return s.tries() >= timings.retries()
        ? stranded(s, failure)
        : rest(s, DestinationStep.ACTIVATE_TAKE_RESTING, failure);
  }

  private Outcome<DestinationState, DestinationAction> rest(
      DestinationState s, DestinationStep step, Failure failure) {
    DestinationState next = s.withObstacle(failure).withTries(s.tries() + 1).at(step);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry()));
  }

  /** The device stays open: where nobody else holds it, its last close may reset it. */
  private static Outcome<DestinationState, DestinationAction> stranded(
      DestinationState s, Failure failure) {
    Failure said =
        failure.with(
            s.device().state() == DeviceState.RUNNING
                ? "The device "
                    + s.spec().device()
                    + " is RUNNING here and its workload did not take it. Mend the workload, then"
                    + " activate again."
                : whatIsLeft(s, failure));
    return Outcome.of(s.withObstacle(said).at(DESTINATION_STRANDED, DestinationStep.STRANDED));
  }

  /** The source was not told to let go: its copy is the last where this one is lost. */
  private static String whatIsLeft(DestinationState s, Failure failure) {
    if (failure.reason() == Reason.TRANSITION_FAILED) {
      return "The handover is committed, and the device "
          + s.spec().device()
          + " was not reset since the state was loaded into it here. Do not reset it, and do not"
          + " end the workload at the source: its stopped device still holds the state, too. Mend"
          + " the device or its driver, then activate again.";
    }
    return failure
            .stateOutOfReach()
            .orElse("Whether the device still holds the state is not known.")
        + " The handover is committed, so the source does not run again by itself; its stopped"
        + " device may be the only one that still holds the state. Do not end the source's workload"
        + " before that is certain. Mend the device "
        + s.spec().device()
        + " here, then activate again.";
  }

  /** A device that is of no more use as it is open; what it holds, another opening may find. */
  private static Outcome<DestinationState, DestinationAction> letGo(
      DestinationState s, Failure failure) {
    DestinationState closed = stranded(s, failure).state().deviceClosed();
    return Outcome.of(closed, new CloseDevice());
  }

  private Outcome<DestinationState, DestinationAction> discardJournalled(
      DestinationState s, Failure failure) {
    if (failure != null && s.handover().loaded()) {
      return then(List.of(new Reply(s.command(), failure)), watch.goOn(s.withFailure(null)));
    }
    List<DestinationAction> first = new ArrayList<>();
    if (s.command() != 0) {
      first.add(new Reply(s.command(), null));
    }
    DestinationState next =
        s.withCommand(0).withObstacle(null).at(DESTINATION_DISCARDING, s.step());
    return then(
        first, next.device().open() && next.device().touched() ? fail(next) : openToDiscard(next));
  }

  /** A device that shows no trace of us holds nothing of ours, and may be somebody else's. */
  private Outcome<DestinationState, DestinationAction> failOrLeave(
      DestinationState s, boolean fresh) {
    boolean looksEmpty =
        s.device().state() == DeviceState.NONE
            || (fresh && s.device().state() == DeviceState.RUNNING);
    if (looksEmpty && s.device().touched()) {
      // It should hold nothing. There are drivers that keep state over the last close.
      return Outcome.of(s.at(DestinationStep.DISCARD_RESETTING), new Reset());
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
                "the device "
                    + s.spec().device()
                    + " was reset and says that it is in "
                    + s.device().state()
                    + ", so the reset did not help"))
        : takeBack(s.withObstacle(null).withTries(0));
  }

  /** Before it is over for good: a workload that kept the device would keep it for ever. */
  private static Outcome<DestinationState, DestinationAction> takeBack(DestinationState s) {
    return Outcome.of(s.at(DestinationStep.TAKING_BACK), new TakeBack());
  }

  private Outcome<DestinationState, DestinationAction> restBeforeTakingBack(
      DestinationState s, Failure failure) {
    if (s.tries() < timings.retries()) {
      return rest(s, DestinationStep.TAKE_BACK_RESTING, failure);
    }
    Failure said =
        (s.failure() != null ? s.failure() : failure)
            .with(
                "The workload that was given the device "
                    + s.spec().device()
                    + " here has not given it back ("
                    + failure.message()
                    + "); end it before the device is used again.");
    return journalDiscarded(s.withFailure(said).withNotReset(failure).withObstacle(null));
  }

  private Outcome<DestinationState, DestinationAction> fail(DestinationState s) {
    return Outcome.of(s.at(DestinationStep.DISCARD_FAILING), new Transition(DeviceState.FAILED));
  }

  private Outcome<DestinationState, DestinationAction> restBeforeDiscarding(
      DestinationState s, Failure failure) {
    if (s.tries() < timings.retries()) {
      return rest(s, DestinationStep.DISCARD_RESTING, failure);
    }
    Failure said =
        (s.failure() != null ? s.failure() : failure)
            .with(
                "The device "
                    + s.spec().device()
                    + " here could not be reset ("
                    + failure.message()
                    + "); it was not made to run. "
                    + failure
                        .stateOutOfReach()
                        .map(known -> known + " Where it has not, reset the device")
                        .orElse("Reset it")
                    + " before it is used again: "
                    + ResetAdvice.of(s.spec().device())
                    + ".");
    return takeBack(s.withFailure(said).withNotReset(failure).withObstacle(null).withTries(0));
  }

  private static Outcome<DestinationState, DestinationAction> journalActive(DestinationState s) {
    return Outcome.of(
        s.withObstacle(null).at(DestinationStep.JOURNALLING_ACTIVE),
        new CloseDevice(),
        new Journal(new SessionRecord.Active(s.progress())));
  }

  /** As at the source: the device is free only once the disk says so. */
  private Outcome<DestinationState, DestinationAction> restBeforeEnding(
      DestinationState s, Failure failure) {
    String done =
        s.handover().activating()
            ? "The workload runs here with the device."
            : "What the device had taken in is discarded.";
    DestinationState next =
        s.withObstacle(failure.endNotWritten(done)).at(DestinationStep.END_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.look()));
  }

  private static Outcome<DestinationState, DestinationAction> journalDiscarded(DestinationState s) {
    return Outcome.of(
        s.withObstacle(null).at(DestinationStep.JOURNALLING_DISCARDED),
        new CloseDevice(),
        new Journal(new SessionRecord.Discarded(s.failure(), s.problems().notReset())));
  }

  private static Outcome<DestinationState, DestinationAction> then(
      List<DestinationAction> first, Outcome<DestinationState, DestinationAction> outcome) {
    List<DestinationAction> actions = new ArrayList<>(first);
    actions.addAll(outcome.actions());
    return new Outcome<>(outcome.state(), actions);
  }
}
