package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.DestinationMachine.expect;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_ACTIVATING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_ACTIVE;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_DISCARDING;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LOADED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_STRANDED;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.DeviceState;

/**
 * The activation of a destination after Committed. Part of {@link DestinationMachine}, and as pure.
 *
 * <pre>
 *  LOADED -- Activate --&gt; [Activating] ACTIVATING
 *    RUNNING --&gt; the workload takes the device --&gt; a look whether it is RUNNING
 *    | each was done      | refused, or tried too often: STRANDED, until Activate tries again
 *  [Active] ACTIVE        | the device lost its state: [StateLost] STRANDED for good
 * </pre>
 */
final class DestinationActivation {
  private final Timings timings;
  private final LoadedWatch watch;

  DestinationActivation(Timings timings, LoadedWatch watch) {
    this.timings = timings;
    this.watch = watch;
  }

  Outcome<DestinationState, DestinationAction> activate(DestinationState s, Command command) {
    return switch (s.state()) {
      case DESTINATION_LOADED -> journalActivating(s.withCommand(command.command()));
      case DESTINATION_ACTIVE -> DestinationMachine.accept(s, command);
      case DESTINATION_ACTIVATING ->
          isResting(s)
              ? activateAgain(s).after(new Reply(command.command(), null))
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
      case DESTINATION_LISTENING, DESTINATION_RECEIVING ->
          DestinationMachine.refuse(
              s,
              command,
              Reason.NOT_LOADED,
              "the destination does not hold everything yet (" + s.state().description() + ")");
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

  /** What is lost does not come back by trying. */
  private Outcome<DestinationState, DestinationAction> activateStranded(
      DestinationState s, Command command) {
    return s.lost()
        ? DestinationMachine.accept(s, command)
        : activateAgain(s).after(new Reply(command.command(), null));
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
    return s.step() == ActivationStep.ACTIVATE_OPEN_RESTING
        || s.step() == ActivationStep.ACTIVATE_TAKE_RESTING
        || s.step() == ActivationStep.ACTIVATE_LOOK_RESTING;
  }

  /** Another try, on the device that is open: closing it might reset it. */
  private Outcome<DestinationState, DestinationAction> activateAgain(DestinationState s) {
    DestinationState again = s.withTries(0).withObstacle(null);
    boolean notKnown = s.device().state() == null;
    if (!s.device().open() || notKnown || s.step() == ActivationStep.ACTIVATE_OPEN_RESTING) {
      return openToActivate(again);
    }
    return s.device().state() == DeviceState.RUNNING ? take(again) : run(again);
  }

  static Outcome<DestinationState, DestinationAction> journalActivating(DestinationState s) {
    return Outcome.of(
        s.at(ActivationStep.JOURNALLING_ACTIVATING), new Journal(new SessionRecord.Activating()));
  }

  Outcome<DestinationState, DestinationAction> openToActivate(DestinationState s) {
    return Outcome.of(
        s.deviceClosed()
            .withObstacle(null)
            .at(DESTINATION_ACTIVATING, ActivationStep.ACTIVATE_OPENING),
        SimpleWork.OPEN_DEVICE);
  }

  Outcome<DestinationState, DestinationAction> step(
      ActivationStep step, DestinationState s, DestinationEvent event, Moment now) {
    Failure failure = event instanceof DestinationEvent.Failed failed ? failed.failure() : null;
    return switch (step) {
      case JOURNALLING_ACTIVATING -> activatingJournalled(s, failure);
      case ACTIVATE_OPENING ->
          failure != null
              ? restBeforeActivating(s, failure)
              : runOrTake(s, expect(Opened.class, s, event));
      case ACTIVATE_OPEN_RESTING -> openToActivate(s);
      case ACTIVATE_RUNNING -> running(s, failure, now);
      case JOURNALLING_LOST ->
          // Without this entry a restart looks at the device once more.
          Outcome.of(s.at(DESTINATION_STRANDED, MainStep.STRANDED));
      case ACTIVATE_TAKING -> failure != null ? restBeforeTaking(s, failure) : lookAtRunning(s);
      case ACTIVATE_TAKE_RESTING -> take(s);
      case ACTIVATE_LOOKING -> failure != null ? notSeenRunning(s, failure) : journalActive(s);
      case ACTIVATE_LOOK_RESTING -> lookAtRunning(s);
      case JOURNALLING_ACTIVE ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.at(DESTINATION_ACTIVE, MainStep.ENDED), SimpleAction.CLOSE_DEVICE);
    };
  }

  private Outcome<DestinationState, DestinationAction> activatingJournalled(
      DestinationState s, Failure failure) {
    if (failure != null) {
      return watch.goOn(s).after(new Reply(s.command(), failure));
    }
    DestinationState change = s.withActivating().withCommand(0).withTries(0).withObstacle(null);
    Outcome<DestinationState, DestinationAction> next =
        s.device().open() ? run(change) : openToActivate(change);
    return next.after(new Reply(s.command(), null));
  }

  private Outcome<DestinationState, DestinationAction> runOrTake(
      DestinationState s, Opened opened) {
    DestinationState open = s.deviceOpened(opened.state());
    if (opened.state() == DeviceState.RUNNING && !opened.fresh()) {
      return take(open);
    }
    if (LoadedWatch.isLoaded(opened)) {
      return run(open);
    }
    if (opened.state() == DeviceState.NONE) {
      // Its server was started anew, or somebody reset it: no other opening finds what it held.
      return lost(
              open.deviceClosed(), Failure.of(Reason.NOT_LOADED, LoadedWatch.notAsLeft(s, opened)))
          .after(SimpleAction.CLOSE_DEVICE);
    }
    return closeStranded(
        open, Failure.of(Reason.DEVICE_PROTOCOL_VIOLATION, LoadedWatch.notAsLeft(s, opened)));
  }

  private Outcome<DestinationState, DestinationAction> run(DestinationState s) {
    return Outcome.of(
        s.at(DESTINATION_ACTIVATING, ActivationStep.ACTIVATE_RUNNING),
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

  /** The source is not told to release its copy, because that is the last one. */
  private static Outcome<DestinationState, DestinationAction> lost(
      DestinationState s, Failure failure) {
    Failure said =
        failure.with(
            "The handover is committed, so the source does not run again by itself; its stopped"
                + " device alone can still hold the state. Nothing is tried any more: a"
                + " person decides. Do not delete the DeviceMigration and do not end the workload"
                + " at the source before the state is saved or given up. "
                + (s.handover().told()
                    ? "The workload here may have run with the device since, so spec.takeBack is"
                        + " refused."
                    : "The workload here was never told to take the device: spec.takeBack makes the"
                        + " source run again."));
    return Outcome.of(
        s.withFailure(said).withObstacle(null).at(ActivationStep.JOURNALLING_LOST),
        new Journal(new SessionRecord.StateLost(said, !s.handover().told())));
  }

  private Outcome<DestinationState, DestinationAction> take(DestinationState s) {
    return Outcome.of(
        s.withTold(true).at(DESTINATION_ACTIVATING, ActivationStep.ACTIVATE_TAKING),
        SimpleWork.LET_WORKLOAD_TAKE);
  }

  /**
   * Looks after the workload has taken the device: a device that failed since is not reported
   * ACTIVE.
   */
  private static Outcome<DestinationState, DestinationAction> lookAtRunning(DestinationState s) {
    return Outcome.of(
        s.at(DESTINATION_ACTIVATING, ActivationStep.ACTIVATE_LOOKING), SimpleWork.LOOK_AT_RUNNING);
  }

  /** ACTIVE is not reported, because the source would then release the last copy. */
  private Outcome<DestinationState, DestinationAction> notSeenRunning(
      DestinationState s, Failure failure) {
    boolean connectionOver =
        failure.reason() == Reason.DEVICE_UNREACHABLE
            || failure.reason() == Reason.DEVICE_PROTOCOL_VIOLATION;
    boolean elsewhere = failure.reason() == Reason.TRANSITION_FAILED;
    if (!elsewhere && s.tries() < timings.retries()) {
      return DestinationMachine.retryLater(
          timings,
          s,
          connectionOver
              ? ActivationStep.ACTIVATE_OPEN_RESTING
              : ActivationStep.ACTIVATE_LOOK_RESTING,
          failure);
    }
    Failure said =
        failure.with(
            "The device "
                + s.spec().device()
                + " was led to RUNNING here and its workload says that it has it, but the device"
                + " was not seen RUNNING afterwards. The handover is committed; the source was not"
                + " told to release its copy and stays stopped. See whether the workload works"
                + " here. Where it does not, mend the device or its driver, then activate again.");
    return Outcome.of(
        s.withObstacle(said).withDevice(null).at(DESTINATION_STRANDED, MainStep.STRANDED));
  }

  private Outcome<DestinationState, DestinationAction> restBeforeActivating(
      DestinationState s, Failure failure) {
    return s.tries() >= timings.retries()
        ? closeStranded(s, failure)
        : DestinationMachine.retryLater(timings, s, ActivationStep.ACTIVATE_OPEN_RESTING, failure);
  }

  private Outcome<DestinationState, DestinationAction> restBeforeTaking(
      DestinationState s, Failure failure) {
    return s.tries() >= timings.retries()
        ? stranded(s, failure)
        : DestinationMachine.retryLater(timings, s, ActivationStep.ACTIVATE_TAKE_RESTING, failure);
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
    return Outcome.of(s.withObstacle(said).at(DESTINATION_STRANDED, MainStep.STRANDED));
  }

  /** The source still has its copy, which is the last one where this device has lost its state. */
  private static String whatIsLeft(DestinationState s, Failure failure) {
    if (failure.reason() == Reason.TRANSITION_FAILED) {
      return "The handover is committed, and the device "
          + s.spec().device()
          + " was not reset since the state was loaded into it here. Do not reset it, and do not"
          + " end the workload at the source: its stopped device still holds the state, too. Mend"
          + " the device or its driver, then activate again; or have the source run again"
          + " (spec.takeBack).";
    }
    return String.format(
        "%s The handover is committed, so the source does not run again by itself; its stopped"
            + " device may be the only one that still holds the state. Do not end the source's"
            + " workload before that is certain. Mend the device %s here, then activate again.",
        failure.stateOutOfReach().orElse("Whether the device still holds the state is not known."),
        s.spec().device());
  }

  /** A device that is of no more use as it is open; what it holds, another opening may find. */
  private static Outcome<DestinationState, DestinationAction> closeStranded(
      DestinationState s, Failure failure) {
    DestinationState closed = stranded(s, failure).state().deviceClosed();
    return Outcome.of(closed, SimpleAction.CLOSE_DEVICE);
  }

  static Outcome<DestinationState, DestinationAction> journalActive(DestinationState s) {
    return Outcome.of(
        s.withObstacle(null).at(ActivationStep.JOURNALLING_ACTIVE),
        SimpleAction.CLOSE_DEVICE,
        new Journal(new SessionRecord.Active(s.progress())));
  }

  /** As at the source: the device is free only once the disk says so. */
  private Outcome<DestinationState, DestinationAction> restBeforeEnding(
      DestinationState s, Failure failure) {
    DestinationState next =
        s.withObstacle(failure.endNotWritten("The workload runs here with the device."))
            .at(MainStep.END_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.look()));
  }
}
