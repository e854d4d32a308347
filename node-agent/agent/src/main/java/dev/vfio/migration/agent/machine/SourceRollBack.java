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
import dev.vfio.migration.vfio.device.ResetAdvice;
import dev.vfio.migration.vfio.linux.Errno;

/**
 * The way of a source back to running. Part of {@link SourceMachine}, and as pure.
 *
 * <pre>
 *  [RollingBack] ROLLING_BACK
 *    FAILED, or CANCELLED where a user cancelled --&gt; RUNNING --&gt; the workload is resumed
 *    | each was done            | the device refused, or the workload cannot be resumed
 *  [RolledBack] ROLLED_BACK   STRANDED, until RollBack or Cancel tries again
 * </pre>
 *
 * <p>The device runs before the workload is resumed, and the device is not reset: a reset would
 * lose the only state there is. Where its workload has died nobody can go on with that state, and
 * the device is reset for whoever comes next.
 */
final class SourceRollBack {
  private final Timings timings;

  SourceRollBack(Timings timings) {
    this.timings = timings;
  }

  Outcome<SourceState, SourceAction> rollBackAsked(
      SourceState s, Decision decision, Failure failure, Command command) {
    return switch (s.state()) {
      case SOURCE_ROLLED_BACK -> SourceMachine.accept(s, command);
      case SOURCE_ROLLING_BACK ->
          isResting(s)
              ? again(s).after(new Reply(command.command(), null))
              : SourceMachine.accept(s, command);
      case SOURCE_STRANDED -> again(s).after(new Reply(command.command(), null));
      case SOURCE_COMPLETING, SOURCE_COMPLETED ->
          SourceMachine.refuse(
              s,
              command,
              Reason.ALREADY_COMMITTED,
              "the handover was committed; the device "
                  + s.spec().device()
                  + " never runs here again");
      case SOURCE_STARTING,
          SOURCE_READY,
          SOURCE_PRECOPY,
          SOURCE_STOPNCOPY,
          SOURCE_AWAITING_DECISION ->
          rollBack(s, decision, s.failure() != null ? s.failure() : failure, command.command());
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

  private static boolean isResting(SourceState s) {
    return s.step() == RollBackStep.ROLL_BACK_OPEN_RESTING
        || s.step() == RollBackStep.ROLL_BACK_RESUME_RESTING;
  }

  /** Something failed before the end mark was allowed. */
  Outcome<SourceState, SourceAction> failed(SourceState s, Failure failure) {
    return rollBack(s, Decision.ROLLED_BACK, failure, 0);
  }

  Outcome<SourceState, SourceAction> rollBack(
      SourceState s, Decision decision, Failure failure, long command) {
    Failure why = decision == Decision.CANCELLED ? s.failure() : failure;
    SourceState next =
        s.decided(decision)
            .withFailure(why)
            .withCommand(command)
            .withTries(0)
            .at(SOURCE_ROLLING_BACK, RollBackStep.JOURNALLING_ROLL_BACK);
    return Outcome.of(
        next,
        SimpleAction.CLOSE_STREAM,
        new Journal(new SessionRecord.RollingBack(decision == Decision.CANCELLED, why)));
  }

  Outcome<SourceState, SourceAction> step(
      RollBackStep step, SourceState s, SourceEvent event, Moment now) {
    Failure failure = event instanceof SourceEvent.Failed failed ? failed.failure() : null;
    return switch (step) {
      case JOURNALLING_ROLL_BACK -> {
        // Where this could not be journalled a restart rolls back as well, or waits, paused, for
        // the operator to say so again. A full disk must not keep the workload paused.
        Outcome<SourceState, SourceAction> next = rollBackJournalled(s.withCommand(0));
        yield s.command() == 0 ? next : next.after(new Reply(s.command(), null));
      }
      case ROLL_BACK_OPENING ->
          failure != null
              ? restBeforeOpening(s, failure)
              : leaveOrRun(s, expect(Opened.class, s, event));
      case ROLL_BACK_OPEN_RESTING -> open(s);
      case ROLL_BACK_LEAVING -> {
        if (failure == null) {
          yield run(s.withDevice(exit(s)));
        }
        yield isConnectionLost(failure)
            ? restBeforeOpening(s, failure)
            : Outcome.of(
                s.at(RollBackStep.ROLL_BACK_LEAVING_OTHERWISE), new Transition(otherExit(s)));
      }
      case ROLL_BACK_LEAVING_OTHERWISE -> {
        if (failure == null) {
          yield run(s.withDevice(otherExit(s)));
        }
        yield isConnectionLost(failure)
            ? restBeforeOpening(s, failure)
            : stranded(s, failure, "it refused both FAILED and CANCELLED");
      }
      case ROLL_BACK_RUNNING -> {
        if (failure == null) {
          yield resume(s.withDevice(DeviceState.RUNNING).withTries(0));
        }
        yield isConnectionLost(failure)
            ? restBeforeOpening(s, failure)
            : stranded(s, failure, "it refused RUNNING");
      }
      case ROLL_BACK_RESUMING ->
          failure != null ? restBeforeResuming(s, failure) : rolledBack(s, now);
      case ROLL_BACK_RESUME_RESTING -> resume(s);
      case ROLL_BACK_RESETTING -> workloadGone(s, event);
      case JOURNALLING_ROLLED_BACK ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.at(SOURCE_ROLLED_BACK, MainStep.ENDED), SimpleAction.CLOSE_DEVICE);
    };
  }

  Outcome<SourceState, SourceAction> rollBackJournalled(SourceState s) {
    if (!s.device().touched() && !s.handover().pauseAsked()) {
      return journalRolledBack(s);
    }
    return s.device().open() ? leave(s) : open(s);
  }

  /** Another try, from what is known of the device now. */
  private Outcome<SourceState, SourceAction> again(SourceState s) {
    return open(s.withTries(0).withObstacle(null));
  }

  private Outcome<SourceState, SourceAction> open(SourceState s) {
    return Outcome.of(
        s.deviceClosed().at(SOURCE_ROLLING_BACK, RollBackStep.ROLL_BACK_OPENING),
        SimpleWork.OPEN_DEVICE);
  }

  private Outcome<SourceState, SourceAction> restBeforeOpening(SourceState s, Failure failure) {
    if (s.tries() >= timings.retries()) {
      return stranded(s, failure, "it cannot be opened");
    }
    SourceState next =
        s.withObstacle(failure).withTries(s.tries() + 1).at(RollBackStep.ROLL_BACK_OPEN_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry()));
  }

  private Outcome<SourceState, SourceAction> leaveOrRun(SourceState before, Opened opened) {
    SourceState s = before.deviceOpened(opened);
    if (s.device().state() == null) {
      // Its workload ran on all the time, so the device does, too; a paused one would be resumed
      // on a device of which nobody knows whether it was reset meanwhile, unless it was held.
      return s.handover().pauseAsked() && !opened.kept()
          ? stranded(
              s,
              Failure.of(
                  Reason.DEVICE_PROTOCOL_VIOLATION,
                  "the device "
                      + s.spec().device()
                      + " was opened anew and does not report its state"),
              "whether it still holds its state cannot be known")
          : leave(s);
    }
    return switch (s.device().state()) {
      case RUNNING -> resume(s);
      case FAILED, CANCELLED -> run(s);
      case SETUP, PRECOPY, STOPNCOPY -> leave(s);
      case NONE, SAVE_COMPLETED, RESUME, RESUME_COMPLETED ->
          stranded(
              s,
              Failure.of(
                  Reason.DEVICE_PROTOCOL_VIOLATION,
                  "the device " + s.spec().device() + " is in " + s.device().state()),
              "it was not left in that state, so its own state may be lost");
    };
  }

  private Outcome<SourceState, SourceAction> leave(SourceState s) {
    return Outcome.of(s.at(RollBackStep.ROLL_BACK_LEAVING), new Transition(exit(s)));
  }

  private Outcome<SourceState, SourceAction> run(SourceState s) {
    return Outcome.of(s.at(RollBackStep.ROLL_BACK_RUNNING), new Transition(DeviceState.RUNNING));
  }

  private Outcome<SourceState, SourceAction> resume(SourceState s) {
    return s.handover().pauseAsked()
        ? Outcome.of(s.at(RollBackStep.ROLL_BACK_RESUMING), SimpleWork.RESUME_WORKLOAD)
        : journalRolledBack(s);
  }

  private Outcome<SourceState, SourceAction> restBeforeResuming(SourceState s, Failure failure) {
    if (failure.errno() == Errno.ESRCH.number()) {
      // Nobody is left to go on with the device, so what is in it is of no more use to anybody.
      return Outcome.of(
          s.withObstacle(failure).at(RollBackStep.ROLL_BACK_RESETTING), SimpleWork.RESET_RELEASED);
    }
    if (s.tries() >= timings.retries()) {
      return strandedWorkload(s, failure);
    }
    SourceState next =
        s.withObstacle(failure).withTries(s.tries() + 1).at(RollBackStep.ROLL_BACK_RESUME_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry()));
  }

  private Outcome<SourceState, SourceAction> rolledBack(SourceState s, Moment now) {
    return journalRolledBack(
        s.withProgress(
            s.progress().withDowntime(Math.max(1, now.nanos() - s.handover().pausedAtNanos()))));
  }

  /**
   * The device is free only once the disk says so: an agent that came back to a journal without an
   * end would do the work once more, to a device that another migration may have by then.
   */
  private Outcome<SourceState, SourceAction> restBeforeEnding(SourceState s, Failure failure) {
    SourceState next =
        s.withObstacle(failure.endNotWritten("The source runs again.")).at(MainStep.END_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.look()));
  }

  static Outcome<SourceState, SourceAction> journalRolledBack(SourceState s) {
    SourceState next = s.withObstacle(null).at(RollBackStep.JOURNALLING_ROLLED_BACK);
    return Outcome.of(
        next,
        SimpleAction.CLOSE_DEVICE,
        new Journal(
            new SessionRecord.RolledBack(next.failure(), next.progress(), next.device().state())));
  }

  private static Outcome<SourceState, SourceAction> stranded(
      SourceState s, Failure failure, String what) {
    Failure said =
        failure.with(
            "The device %s could not be brought back to RUNNING: %s%s",
            s.spec().device(), what, whatIsLeft(s, failure));
    return Outcome.of(
        s.withObstacle(said).deviceClosed().at(SOURCE_STRANDED, MainStep.STRANDED),
        SimpleAction.CLOSE_DEVICE);
  }

  private static String whatIsLeft(SourceState s, Failure failure) {
    String workload = s.handover().pauseAsked() ? "; its workload is paused" : "";
    return failure
        .stateOutOfReach()
        .map(
            known ->
                workload
                    + ". "
                    + known
                    + " Start what serves it, and the workload, anew where that has ended;"
                    + " otherwise make the device answer, and roll back again.")
        .orElse(
            ". It was not reset, because that would lose the only state there is"
                + workload
                + ". Mend the device or its driver, then roll back again; or give the state up,"
                + " reset the device and restart the workload.");
  }

  private static Outcome<SourceState, SourceAction> strandedWorkload(
      SourceState s, Failure failure) {
    Failure said =
        failure.with(
            "The device "
                + s.spec().device()
                + " is RUNNING again but its workload could not be resumed. Mend the workload,"
                + " then roll back again, or restart the workload.");
    return Outcome.of(
        s.withObstacle(said).deviceClosed().at(SOURCE_STRANDED, MainStep.STRANDED),
        SimpleAction.CLOSE_DEVICE);
  }

  /**
   * Nobody is left to go on with the device. To keep it for a person would only keep it from the
   * workload that is started anew.
   */
  private static Outcome<SourceState, SourceAction> workloadGone(
      SourceState s, SourceEvent afterReset) {
    Failure left = SourceRelease.obstacle(s, afterReset);
    String device = s.spec().device();
    Failure said =
        s.problems()
            .obstacle()
            .with(
                "The device "
                    + device
                    + " was brought back to RUNNING and is released. "
                    + (left != null
                        ? "It could not be reset ("
                            + left.message()
                            + "), and what its workload had in it may still be in it. Reset it"
                            + " before anything else uses it: "
                            + ResetAdvice.of(device)
                            + "."
                        : afterReset instanceof InUse
                            ? "Somebody else has opened it by now, so it was not reset."
                            : "It was reset and holds nothing of its workload any more.")
                    + (s.handover().decision() == Decision.CANCELLED
                            || s.failure() == null
                            || s.failure().errno() == Errno.ESRCH.number()
                        ? ""
                        : " It was rolled back because: " + s.failure().message()));
    SourceState end = s.withFailure(said);
    if (afterReset instanceof WasReset reset) {
      end = end.withDevice(reset.state());
    }
    return journalRolledBack(end);
  }

  /** After these the open device is of no more use; it may be fine once it is opened anew. */
  private static boolean isConnectionLost(Failure failure) {
    return failure.reason() == Reason.DEVICE_UNREACHABLE
        || failure.reason() == Reason.DEVICE_PROTOCOL_VIOLATION;
  }

  private static DeviceState exit(SourceState s) {
    return s.handover().decision() == Decision.CANCELLED
        ? DeviceState.CANCELLED
        : DeviceState.FAILED;
  }

  private static DeviceState otherExit(SourceState s) {
    return s.handover().decision() == Decision.CANCELLED
        ? DeviceState.FAILED
        : DeviceState.CANCELLED;
  }

  static Failure waiting(SourceState s, Failure failure) {
    return failure.with(
        "The destination may hold everything, so the source "
            + s.spec().device()
            + " waits, paused, for the decision; nothing was undone.");
  }
}
