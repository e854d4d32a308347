package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.DestinationMachine.expect;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_LOADED;
import static dev.vfio.migration.agent.machine.SessionState.DESTINATION_STRANDED;

import dev.vfio.migration.agent.machine.DestinationAction.*;
import dev.vfio.migration.agent.machine.DestinationEvent.*;
import dev.vfio.migration.agent.machine.DestinationStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.linux.Errno;

/**
 * What is loaded is looked at until the handover is decided: whether the device still holds it, and
 * whether the workload is there that is to take it. Part of {@link DestinationMachine}, and as
 * pure.
 *
 * <pre>
 *           every {@link Timings#look()}, and VerifyLoaded
 *  LOADED  -----------------------------------------------&gt; found: LOADED
 *    the workload has ended, or for {@link Timings#doubt()}
 *    nothing could be found out ---------------------------&gt; STRANDED; the device stays open
 *    the device lost it, is silent, or was removed ------&gt; STRANDED; the device is opened again
 * </pre>
 *
 * <p>STRANDED is looked at as well, and is LOADED again once everything is found. Nothing is
 * discarded here: only the decision leads out.
 */
final class LoadedWatch {
  private final Timings timings;

  LoadedWatch(Timings timings) {
    this.timings = timings;
  }

  Outcome<DestinationState, DestinationAction> step(
      WatchStep step, DestinationState s, DestinationEvent event, Moment now) {
    return switch (step) {
      case LOADED -> look(s);
      case LOOKING -> looked(s, event, now);
      case REOPENING -> reopened(s, event);
      case REOPEN_RESTING -> reopen(s);
    };
  }

  /** No work is under way: waits for the decision, or for the time of the next look. */
  Outcome<DestinationState, DestinationAction> await(DestinationState s, SessionState state) {
    DestinationState next = s.withCommand(0).at(state, WatchStep.LOADED);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.look()));
  }

  /** The decision that was asked for was refused, and all is as before. */
  Outcome<DestinationState, DestinationAction> goOn(DestinationState s) {
    return s.state() == DESTINATION_LOADED || s.device().open()
        ? await(s, s.state())
        : rest(s.withCommand(0));
  }

  Outcome<DestinationState, DestinationAction> verify(DestinationState s, Command command) {
    return switch (s.state()) {
      case DESTINATION_LOADED -> look(s.withCommand(command.command()));
      case DESTINATION_STRANDED ->
          s.handover().activating()
              ? DestinationMachine.accept(s, command)
              : DestinationMachine.refuse(
                  s, command, Reason.NOT_LOADED, s.snapshot().failure().message());
      case DESTINATION_ACTIVATING, DESTINATION_ACTIVE -> DestinationMachine.accept(s, command);
      case DESTINATION_DISCARDING, DESTINATION_DISCARDED ->
          DestinationMachine.refuse(
              s,
              command,
              Reason.ALREADY_ROLLED_BACK,
              "the destination was rolled back ("
                  + s.state().description()
                  + "); nothing is loaded here");
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

  Outcome<DestinationState, DestinationAction> look(DestinationState s) {
    return Outcome.of(s.at(WatchStep.LOOKING), SimpleWork.LOOK_AT_LOADED);
  }

  Outcome<DestinationState, DestinationAction> looked(
      DestinationState s, DestinationEvent event, Moment now) {
    if (!(event instanceof DestinationEvent.Failed failed)) {
      DestinationState found = s.withObstacle(null).doubtedSince(0).withTries(0);
      return answered(s, null, await(found, DESTINATION_LOADED));
    }
    Failure failure = failed.failure();
    if (isConnectionOver(failure)) {
      return notVerified(s.withDevice(null).deviceClosed(), failure);
    }
    DestinationState doubted = s.doubtedSinceNanos() == 0 ? s.doubtedSince(now.nanos()) : s;
    boolean certain =
        failure.errno() == Errno.ESRCH.number()
            || now.nanos() - doubted.doubtedSinceNanos() >= timings.doubt().toNanos();
    if (s.state() == DESTINATION_LOADED && !certain) {
      Failure notNow =
          Failure.of(
              Reason.NOT_LOADED,
              "what is loaded could not be looked at just now, and is looked at again: "
                  + failure.message());
      return answered(s, notNow, await(doubted, DESTINATION_LOADED));
    }
    Failure said = failure.with(whatIsLeft(failure));
    return answered(
        s,
        Failure.of(Reason.NOT_LOADED, said.message()),
        await(doubted.withObstacle(said), DESTINATION_STRANDED));
  }

  /** After these what is open is of no more use; another opening may find what is loaded. */
  private static boolean isConnectionOver(Failure failure) {
    return failure.reason() == Reason.DEVICE_UNREACHABLE
        || failure.reason() == Reason.DEVICE_PROTOCOL_VIOLATION
        || failure.reason() == Reason.NOT_LOADED;
  }

  private static Outcome<DestinationState, DestinationAction> answered(
      DestinationState before,
      Failure refusal,
      Outcome<DestinationState, DestinationAction> outcome) {
    if (before.command() == 0) {
      return outcome;
    }
    return outcome.then(new Reply(before.command(), refusal));
  }

  // ------------------------------------------------------------------ opened anew

  Outcome<DestinationState, DestinationAction> reopen(DestinationState s) {
    return Outcome.of(s.at(WatchStep.REOPENING), SimpleWork.OPEN_DEVICE);
  }

  /**
   * Where a command waits it is Activate: the handover is decided, and no further look is needed.
   */
  Outcome<DestinationState, DestinationAction> reopened(
      DestinationState s, DestinationEvent event) {
    if (!(event instanceof Opened opened)) {
      return notVerified(s, expect(DestinationEvent.Failed.class, s, event).failure());
    }
    if (!isLoaded(opened)) {
      return notVerified(
          s.withDevice(opened.state()).deviceClosed(),
          Failure.of(Reason.DEVICE_PROTOCOL_VIOLATION, notAsLeft(s, opened)));
    }
    DestinationState loaded =
        s.deviceOpened(DeviceState.RESUME_COMPLETED)
            .withObstacle(null)
            .doubtedSince(0)
            .withTries(0)
            .at(DESTINATION_LOADED, WatchStep.LOADED);
    return s.command() == 0
        ? await(loaded, DESTINATION_LOADED)
        : DestinationActivation.journalActivating(loaded);
  }

  private Outcome<DestinationState, DestinationAction> notVerified(
      DestinationState s, Failure failure) {
    Failure said = failure.with(whatIsLeft(failure));
    DestinationState next = s.withObstacle(said).withTries(s.tries() + 1).withCommand(0);
    return answered(s, Failure.of(Reason.NOT_LOADED, said.message()), rest(next));
  }

  private Outcome<DestinationState, DestinationAction> rest(DestinationState s) {
    DestinationState next = s.at(DESTINATION_STRANDED, WatchStep.REOPEN_RESTING);
    int times = Math.max(1, Math.min(s.tries(), 40));
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry().multipliedBy(times)));
  }

  private static String whatIsLeft(Failure failure) {
    String here =
        failure
            .stateOutOfReach()
            .orElse(
                failure.reason() == Reason.WORKLOAD_UNREACHABLE
                    ? "Everything is loaded into the device here, and its workload cannot take it."
                    : "Everything was loaded here.");
    return here
        + " Nothing was discarded by the agent. If the handover is not decided, it is rolled back:"
        + " the source was not told to release its copy. If it is committed, mend what is named"
        + " here, then activate again.";
  }

  /**
   * A device that does not report its state has the one it was left in, where it was held. Where
   * nobody held it, what it holds may be anybody's, whatever it says.
   */
  static boolean isLoaded(Opened opened) {
    return (opened.state() == DeviceState.RESUME_COMPLETED && !opened.fresh())
        || (opened.state() == null && opened.kept());
  }

  static String notAsLeft(DestinationState s, Opened opened) {
    String device = "the device " + s.spec().device();
    DeviceState found = opened.state();
    if (found == DeviceState.RESUME_COMPLETED) {
      return device
          + " is in RESUME_COMPLETED, as it was left, and nobody held it open meanwhile: whether it"
          + " still holds what it had taken in cannot be known";
    }
    return found == null
        ? device
            + " does not report its state and was left in RESUME_COMPLETED: whether it still holds"
            + " what it had taken in cannot be known"
        : device
            + " is in "
            + found
            + " and was left in RESUME_COMPLETED: it lost what it had taken in";
  }
}
