package dev.vfio.migration.agent.machine;

import static dev.vfio.migration.agent.machine.SessionState.SOURCE_COMPLETED;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_COMPLETING;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_ROLLED_BACK;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_ROLLING_BACK;
import static dev.vfio.migration.agent.machine.SessionState.SOURCE_STRANDED;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceState.Decision;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.ResetAdvice;
import dev.vfio.migration.vfio.linux.Errno;
import java.util.ArrayList;
import java.util.List;

/**
 * How a source ends: completion after Committed, and the way back to running. Part of {@link
 * SourceMachine}, and as pure.
 *
 * <p>On the way back the device runs before the workload is resumed, and the device is not reset: a
 * reset would lose the only state there is. Where its workload has died nobody can go on with that
 * state, and the device is reset for whoever comes next.
 */
final class SourceEnding {
  private final Pace pace;
  private final SourceRelease release;

  SourceEnding(Pace pace) {
    this.pace = pace;
    this.release = new SourceRelease(pace);
  }

  // ------------------------------------------------------------------ the decision's commands

  Outcome<SourceState, SourceAction> commit(SourceState s, Command command) {
    return switch (s.state()) {
      case SOURCE_COMPLETED -> SourceMachine.accept(s, command);
      case SOURCE_COMPLETING ->
          s.step() == SourceStep.COMPLETE_RESTING
              ? prepend(complete(s), new Reply(command.command(), null))
              : SourceMachine.accept(s, command);
      case SOURCE_ROLLING_BACK, SOURCE_ROLLED_BACK, SOURCE_STRANDED ->
          SourceMachine.refuse(
              s,
              command,
              Reason.ALREADY_ROLLED_BACK,
              "the source is rolled back (" + s.state().description() + "); it was not committed");
      default ->
          s.endAllowed()
              ? Outcome.of(
                  s.but().at(SourceStep.JOURNALLING_COMMIT).command(command.command()).done(),
                  new CloseStream(),
                  new Journal(new SessionRecord.Committed()))
              : SourceMachine.refuse(
                  s,
                  command,
                  Reason.NOT_LOADED,
                  "the source has not sent everything yet ("
                      + s.state().description()
                      + "); nothing was done");
    };
  }

  Outcome<SourceState, SourceAction> rollBackAsked(
      SourceState s, Decision decision, Failure failure, Command command) {
    return switch (s.state()) {
      case SOURCE_ROLLED_BACK -> SourceMachine.accept(s, command);
      case SOURCE_ROLLING_BACK ->
          isResting(s)
              ? prepend(again(s), new Reply(command.command(), null))
              : SourceMachine.accept(s, command);
      case SOURCE_STRANDED -> prepend(again(s), new Reply(command.command(), null));
      case SOURCE_COMPLETING, SOURCE_COMPLETED ->
          SourceMachine.refuse(
              s,
              command,
              Reason.ALREADY_COMMITTED,
              "the handover was committed; the device "
                  + s.spec().device()
                  + " never runs here again");
      default ->
          rollBack(s, decision, s.failure() != null ? s.failure() : failure, command.command());
    };
  }

  private static boolean isResting(SourceState s) {
    return s.step() == SourceStep.ROLL_BACK_OPEN_RESTING
        || s.step() == SourceStep.ROLL_BACK_RESUME_RESTING;
  }

  // ------------------------------------------------------------------ ways in

  /** Something failed before the end mark was allowed. */
  Outcome<SourceState, SourceAction> failed(SourceState s, Failure failure) {
    return rollBack(s, Decision.ROLLED_BACK, failure, 0);
  }

  Outcome<SourceState, SourceAction> rollBack(
      SourceState s, Decision decision, Failure failure, long command) {
    Failure why = decision == Decision.CANCELLED ? s.failure() : failure;
    SourceState next =
        s.but()
            .decision(decision)
            .failure(why)
            .command(command)
            .tries(0)
            .at(SOURCE_ROLLING_BACK, SourceStep.JOURNALLING_ROLL_BACK)
            .done();
    return Outcome.of(
        next,
        new CloseStream(),
        new Journal(new SessionRecord.RollingBack(decision == Decision.CANCELLED, why)));
  }

  /** Committed is journalled: makes the device clean up. */
  Outcome<SourceState, SourceAction> complete(SourceState s) {
    if (!s.deviceOpen()) {
      return Outcome.of(
          s.but().at(SOURCE_COMPLETING, SourceStep.COMPLETE_REOPENING).done(), new OpenDevice());
    }
    // A device that was reset meanwhile has nothing left to clean up; the later interfaces call
    // what that leads to RUNNING.
    boolean clean =
        s.deviceState() == DeviceState.SAVE_COMPLETED
            || s.deviceState() == DeviceState.NONE
            || s.deviceState() == DeviceState.RUNNING;
    return clean
        ? release(s)
        : Outcome.of(
            s.but().at(SOURCE_COMPLETING, SourceStep.COMPLETE_SAVING).done(),
            new Transition(DeviceState.SAVE_COMPLETED));
  }

  // ------------------------------------------------------------------ steps

  Outcome<SourceState, SourceAction> step(SourceState s, SourceEvent event, Moment now) {
    Failure failure = event instanceof SourceEvent.Failed failed ? failed.failure() : null;
    return switch (s.step()) {
      case JOURNALLING_COMMIT -> commitJournalled(s, failure);
      case COMPLETE_REOPENING ->
          failure != null ? restBeforeCompleting(s, failure) : complete(reopened(s, event));
      case COMPLETE_SAVING ->
          failure != null
              ? notSaved(s, failure)
              : release(s.but().device(DeviceState.SAVE_COMPLETED).done());
      case COMPLETE_RELEASING ->
          failure != null
              ? restBeforeCompleting(s, failure)
              : release.reset(s.but().obstacle(null).tries(0).done());
      case COMPLETE_RESETTING, COMPLETE_RESET_RESTING, COMPLETE_RESET_REOPENING, COMPLETE_LOOKING ->
          release.step(s, event);
      case COMPLETE_RESTING -> complete(s);
      case JOURNALLING_COMPLETED ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.but().at(SOURCE_COMPLETED, SourceStep.ENDED).done(), new LetGo());
      case JOURNALLING_ROLL_BACK -> {
        // Where this could not be journalled a restart rolls back as well, or waits, paused, for
        // the operator to say so again. A workload that stands still for want of disk helps nobody.
        List<SourceAction> first = new ArrayList<>();
        if (s.command() != 0) {
          first.add(new Reply(s.command(), null));
        }
        yield rollBackJournalled(s.but().command(0).done(), first);
      }
      case ROLL_BACK_OPENING ->
          failure != null
              ? restBeforeOpening(s, failure)
              : leaveOrRun(reopened(s, event), ((Opened) event).kept(), now);
      case ROLL_BACK_OPEN_RESTING -> open(s, List.of());
      case ROLL_BACK_LEAVING -> {
        if (failure == null) {
          yield run(s.but().device(exit(s)).done());
        }
        yield isConnectionLost(failure)
            ? restBeforeOpening(s, failure)
            : Outcome.of(
                s.but().at(SourceStep.ROLL_BACK_LEAVING_OTHERWISE).done(),
                new Transition(otherExit(s)));
      }
      case ROLL_BACK_LEAVING_OTHERWISE -> {
        if (failure == null) {
          yield run(s.but().device(otherExit(s)).done());
        }
        yield isConnectionLost(failure)
            ? restBeforeOpening(s, failure)
            : stranded(s, failure, "it refused both FAILED and CANCELLED");
      }
      case ROLL_BACK_RUNNING -> {
        if (failure == null) {
          yield resume(s.but().device(DeviceState.RUNNING).tries(0).done(), now);
        }
        yield isConnectionLost(failure)
            ? restBeforeOpening(s, failure)
            : stranded(s, failure, "it refused RUNNING");
      }
      case ROLL_BACK_RESUMING ->
          failure != null ? restBeforeResuming(s, failure) : rolledBack(s, now);
      case ROLL_BACK_RESUME_RESTING -> resume(s, now);
      case ROLL_BACK_RESETTING -> workloadGone(s, event);
      case JOURNALLING_ROLLED_BACK ->
          failure != null
              ? restBeforeEnding(s, failure)
              : Outcome.of(s.but().at(SOURCE_ROLLED_BACK, SourceStep.ENDED).done(), new LetGo());
      case END_RESTING ->
          s.state() == SOURCE_COMPLETING ? SourceRelease.journalCompleted(s) : journalRolledBack(s);
      case STRANDED, ENDED, REFUSED -> Outcome.of(s);
      default -> SourceMachine.unexpected(s, event);
    };
  }

  private Outcome<SourceState, SourceAction> commitJournalled(SourceState s, Failure failure) {
    if (failure != null) {
      return Outcome.of(
          s.but().at(SourceStep.AWAITING_DECISION).command(0).done(),
          new Reply(s.command(), failure));
    }
    return prepend(
        complete(
            s.but()
                .decision(Decision.COMMITTED)
                .failure(null)
                .command(0)
                .tries(0)
                .at(SOURCE_COMPLETING, SourceStep.COMPLETE_SAVING)
                .done()),
        new Reply(s.command(), null));
  }

  private static SourceState reopened(SourceState s, SourceEvent event) {
    Opened opened = (Opened) event;
    return s.but().opened(opened.state(), opened.precopy()).done();
  }

  /**
   * A device that does not tell its state may have cleaned up, or been reset, before the agent was
   * restarted: then it has nothing to save, and refuses.
   */
  private Outcome<SourceState, SourceAction> notSaved(SourceState s, Failure failure) {
    boolean mayHaveBeenSaved =
        s.recovered() && s.deviceState() == null && failure.reason() == Reason.TRANSITION_FAILED;
    return mayHaveBeenSaved
        ? release(s)
        : restBeforeCompleting(s.but().deviceClosed().done(), failure);
  }

  private Outcome<SourceState, SourceAction> release(SourceState s) {
    return Outcome.of(s.but().at(SourceStep.COMPLETE_RELEASING).done(), new ReleaseWorkload());
  }

  /** Cleaning up has all the time there is; it never gives up and never runs the device. */
  private Outcome<SourceState, SourceAction> restBeforeCompleting(SourceState s, Failure failure) {
    int tries = s.tries() + 1;
    Failure said =
        failure.with(
            "The handover is committed and the destination runs; this is clean-up at the source"
                + " and is tried again by itself.");
    SourceState next =
        s.but()
            .obstacle(said)
            .tries(tries)
            .at(SOURCE_COMPLETING, SourceStep.COMPLETE_RESTING)
            .done();
    long times = Math.min(tries, 40);
    return Outcome.of(next, new StartTimer(next.epoch(), pace.retry().multipliedBy(times)));
  }

  Outcome<SourceState, SourceAction> rollBackJournalled(SourceState s, List<SourceAction> first) {
    if (!s.touched() && !s.pauseAsked()) {
      return then(first, journalRolledBack(s));
    }
    return s.deviceOpen() ? then(first, leave(s)) : open(s, first);
  }

  /** Another try, from what is known of the device now. */
  private Outcome<SourceState, SourceAction> again(SourceState s) {
    return open(s.but().tries(0).obstacle(null).done(), List.of());
  }

  private Outcome<SourceState, SourceAction> open(SourceState s, List<SourceAction> first) {
    return then(
        first,
        Outcome.of(
            s.but().deviceClosed().at(SOURCE_ROLLING_BACK, SourceStep.ROLL_BACK_OPENING).done(),
            new OpenDevice()));
  }

  private Outcome<SourceState, SourceAction> restBeforeOpening(SourceState s, Failure failure) {
    if (s.tries() >= pace.retries()) {
      return stranded(s, failure, "it cannot be opened");
    }
    SourceState next =
        s.but().obstacle(failure).tries(s.tries() + 1).at(SourceStep.ROLL_BACK_OPEN_RESTING).done();
    return Outcome.of(next, new StartTimer(next.epoch(), pace.retry()));
  }

  private Outcome<SourceState, SourceAction> leaveOrRun(SourceState s, boolean kept, Moment now) {
    if (s.deviceState() == null) {
      // Its workload ran on all the time, so the device does, too; a paused one would be resumed
      // on a device of which nobody knows whether it was reset meanwhile, unless it was held.
      return s.pauseAsked() && !kept
          ? stranded(
              s,
              Failure.of(
                  Reason.DEVICE_PROTOCOL_VIOLATION,
                  "the device "
                      + s.spec().device()
                      + " was opened anew and does not tell its state"),
              "whether it still holds its state cannot be known")
          : leave(s);
    }
    return switch (s.deviceState()) {
      case RUNNING -> resume(s, now);
      case FAILED, CANCELLED -> run(s);
      case SETUP, PRECOPY, STOPNCOPY -> leave(s);
      case NONE, SAVE_COMPLETED, RESUME, RESUME_COMPLETED ->
          stranded(
              s,
              Failure.of(
                  Reason.DEVICE_PROTOCOL_VIOLATION,
                  "the device " + s.spec().device() + " is in " + s.deviceState()),
              "it was not left in that state, so its own state may be lost");
    };
  }

  private Outcome<SourceState, SourceAction> leave(SourceState s) {
    return Outcome.of(s.but().at(SourceStep.ROLL_BACK_LEAVING).done(), new Transition(exit(s)));
  }

  private Outcome<SourceState, SourceAction> run(SourceState s) {
    return Outcome.of(
        s.but().at(SourceStep.ROLL_BACK_RUNNING).done(), new Transition(DeviceState.RUNNING));
  }

  private Outcome<SourceState, SourceAction> resume(SourceState s, Moment now) {
    return s.pauseAsked()
        ? Outcome.of(s.but().at(SourceStep.ROLL_BACK_RESUMING).done(), new ResumeWorkload())
        : journalRolledBack(s);
  }

  private Outcome<SourceState, SourceAction> restBeforeResuming(SourceState s, Failure failure) {
    if (failure.errno() == Errno.ESRCH.number()) {
      // Nobody is left to go on with the device, so what is in it is of no more use to anybody.
      return Outcome.of(
          s.but().obstacle(failure).at(SourceStep.ROLL_BACK_RESETTING).done(), new ResetReleased());
    }
    if (s.tries() >= pace.retries()) {
      return strandedWorkload(s, failure);
    }
    SourceState next =
        s.but()
            .obstacle(failure)
            .tries(s.tries() + 1)
            .at(SourceStep.ROLL_BACK_RESUME_RESTING)
            .done();
    return Outcome.of(next, new StartTimer(next.epoch(), pace.retry()));
  }

  private Outcome<SourceState, SourceAction> rolledBack(SourceState s, Moment now) {
    return journalRolledBack(
        s.but()
            .progress(s.progress().withDowntime(Math.max(1, now.nanos() - s.pausedAtNanos())))
            .done());
  }

  /**
   * The device is free only once the disk says so: an agent that came back to a journal without an
   * end would do the work once more, to a device that another migration may have by then.
   */
  private Outcome<SourceState, SourceAction> restBeforeEnding(SourceState s, Failure failure) {
    String done =
        s.state() == SOURCE_COMPLETING
            ? "The handover is committed and the source is released."
            : "The source runs again.";
    SourceState next =
        s.but().obstacle(failure.endNotWritten(done)).at(SourceStep.END_RESTING).done();
    return Outcome.of(next, new StartTimer(next.epoch(), pace.look()));
  }

  private static Outcome<SourceState, SourceAction> journalRolledBack(SourceState s) {
    SourceState next = s.but().obstacle(null).at(SourceStep.JOURNALLING_ROLLED_BACK).done();
    return Outcome.of(
        next,
        new LetGo(),
        new Journal(
            new SessionRecord.RolledBack(next.failure(), next.progress(), next.deviceState())));
  }

  private static Outcome<SourceState, SourceAction> stranded(
      SourceState s, Failure failure, String what) {
    Failure said =
        failure.with(
            "The device "
                + s.spec().device()
                + " could not be brought back to RUNNING: "
                + what
                + whatIsLeft(s, failure));
    return Outcome.of(
        s.but().obstacle(said).deviceClosed().at(SOURCE_STRANDED, SourceStep.STRANDED).done(),
        new LetGo());
  }

  private static String whatIsLeft(SourceState s, Failure failure) {
    String workload = s.pauseAsked() ? "; its workload is paused" : "";
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
        s.but().obstacle(said).deviceClosed().at(SOURCE_STRANDED, SourceStep.STRANDED).done(),
        new LetGo());
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
        s.obstacle()
            .with(
                "The device "
                    + device
                    + " was brought back to RUNNING and is let go of. "
                    + (left != null
                        ? "It could not be reset ("
                            + left.message()
                            + "), and what its workload had in it may still be in it. Reset it"
                            + " before anything else uses it: "
                            + ResetAdvice.of(device)
                            + "."
                        : afterReset instanceof InUse
                            ? "Somebody else has opened it by now, so it was not reset."
                            : "It was reset: what its workload had in it is gone.")
                    + (s.decision() == Decision.CANCELLED
                            || s.failure() == null
                            || s.failure().errno() == Errno.ESRCH.number()
                        ? ""
                        : " It was rolled back because: " + s.failure().message()));
    SourceState.Change end = s.but().failure(said);
    if (afterReset instanceof WasReset reset) {
      end.device(reset.state());
    }
    return journalRolledBack(end.done());
  }

  /** After these the open device is of no more use; it may be fine once it is opened anew. */
  private static boolean isConnectionLost(Failure failure) {
    return failure.reason() == Reason.DEVICE_UNREACHABLE
        || failure.reason() == Reason.DEVICE_PROTOCOL_VIOLATION;
  }

  private static DeviceState exit(SourceState s) {
    return s.decision() == Decision.CANCELLED ? DeviceState.CANCELLED : DeviceState.FAILED;
  }

  private static DeviceState otherExit(SourceState s) {
    return s.decision() == Decision.CANCELLED ? DeviceState.FAILED : DeviceState.CANCELLED;
  }

  static Failure waiting(SourceState s, Failure failure) {
    return failure.with(
        "The destination may hold everything, so the source "
            + s.spec().device()
            + " waits, paused, for the decision; nothing was undone.");
  }

  static Outcome<SourceState, SourceAction> prepend(
      Outcome<SourceState, SourceAction> outcome, SourceAction... first) {
    return then(List.of(first), outcome);
  }

  private static Outcome<SourceState, SourceAction> then(
      List<SourceAction> first, Outcome<SourceState, SourceAction> outcome) {
    List<SourceAction> actions = new ArrayList<>(first);
    actions.addAll(outcome.actions());
    return new Outcome<>(outcome.state(), actions);
  }
}
