package dev.vfio.migration.agent.machine;

import dev.vfio.migration.agent.machine.SourceAction.*;
import dev.vfio.migration.agent.machine.SourceEvent.*;
import dev.vfio.migration.agent.machine.SourceStep.*;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.ResetAdvice;
import dev.vfio.migration.vfio.linux.Errno;

/**
 * What becomes of the source's device once its workload has released it for good: the device is
 * reset, and then looked at. Part of {@link SourceCompletion}, and as pure.
 *
 * <p>Not every driver resets a device at its last close, and the next who opens it would read what
 * the workload had in it. A device that cannot be reset is released all the same, because nothing
 * is to wait for it; the session's failure says so.
 */
final class SourceRelease {
  private final Timings timings;

  SourceRelease(Timings timings) {
    this.timings = timings;
  }

  /** After Committed, once the workload is released. */
  Outcome<SourceState, SourceAction> reset(SourceState s) {
    return Outcome.of(s.at(ReleaseStep.COMPLETE_RESETTING), SimpleWork.RESET_RELEASED);
  }

  Outcome<SourceState, SourceAction> step(ReleaseStep step, SourceState s, SourceEvent event) {
    return switch (step) {
      case COMPLETE_RESETTING -> {
        Failure obstacle = obstacle(s, event);
        // What one reset does not do a second does not either.
        boolean tryAgain =
            !(event instanceof WasReset)
                && obstacle != null
                && obstacle.errno() != Errno.EOPNOTSUPP.number();
        yield obstacle == null
            ? completed(s, null)
            : tryAgain ? again(s, obstacle) : look(s, obstacle);
      }
      case COMPLETE_RESET_RESTING -> open(s, ReleaseStep.COMPLETE_RESET_REOPENING);
      case COMPLETE_RESET_REOPENING -> {
        if (event instanceof Opened) {
          // What is shown of a migration's source is where the migration left it.
          yield reset(s.deviceReopened());
        }
        Failure failure = ((SourceEvent.Failed) event).failure();
        yield isGone(failure) ? completed(s, null) : again(s, failure);
      }
      case COMPLETE_LOOKING -> {
        boolean clean =
            event instanceof Opened opened
                ? opened.state() != null && !opened.state().leftOver()
                : isGone(((SourceEvent.Failed) event).failure());
        yield completed(s, clean ? null : left(s, s.problems().obstacle()));
      }
    };
  }

  /** Why a device that was to be reset may still hold what it held; null where it does not. */
  static Failure obstacle(SourceState s, SourceEvent event) {
    String device = "the device " + s.spec().device();
    if (event instanceof WasReset reset) {
      return reset.state() == null || !reset.state().leftOver()
          ? null
          : Failure.of(
              Reason.TRANSITION_FAILED,
              device
                  + " was reset and says that it is in "
                  + reset.state()
                  + ", so the reset did not help");
    }
    if (event instanceof InUse use) {
      // Whoever opened it meanwhile may use it, and must not lose what is in it by now.
      return use.state() != null && !use.state().leftOver()
          ? null
          : Failure.of(
              Reason.DEVICE_BUSY,
              device
                  + " is held by somebody else"
                  + (use.state() == null ? "" : " and was left in " + use.state())
                  + ", so it was not reset");
    }
    Failure failure = ((SourceEvent.Failed) event).failure();
    return isGone(failure) ? null : failure;
  }

  /** The device is none of this node any more, and is looked at should it come back. */
  private static boolean isGone(Failure failure) {
    return failure.reason() == Reason.UNKNOWN_DEVICE;
  }

  private Outcome<SourceState, SourceAction> again(SourceState s, Failure failure) {
    if (s.tries() >= timings.retries()) {
      return look(s, failure);
    }
    SourceState next =
        s.withObstacle(failure).withTries(s.tries() + 1).at(ReleaseStep.COMPLETE_RESET_RESTING);
    return Outcome.of(next, new StartTimer(next.epoch(), timings.retry()));
  }

  /** Looks at the device opened anew: its driver may reset at the last close and not when asked. */
  private static Outcome<SourceState, SourceAction> look(SourceState s, Failure failure) {
    return open(s.withObstacle(failure), ReleaseStep.COMPLETE_LOOKING);
  }

  private static Outcome<SourceState, SourceAction> open(SourceState s, SourceStep step) {
    return Outcome.of(s.deviceClosed().at(step), SimpleWork.OPEN_DEVICE);
  }

  private static Failure left(SourceState s, Failure failure) {
    return failure.with(
        "The handover is committed and the destination runs. The device %s here was released all"
            + " the same, and what its workload had in it may still be in it. Reset it before"
            + " anything else uses it: %s.",
        s.spec().device(), ResetAdvice.of(s.spec().device()));
  }

  private static Outcome<SourceState, SourceAction> completed(SourceState s, Failure notReset) {
    return journalCompleted(
        s.withDevice(DeviceState.SAVE_COMPLETED).withFailure(notReset).withNotReset(notReset));
  }

  static Outcome<SourceState, SourceAction> journalCompleted(SourceState s) {
    return Outcome.of(
        s.withObstacle(null).at(CompletionStep.JOURNALLING_COMPLETED),
        SimpleAction.CLOSE_DEVICE,
        new Journal(new SessionRecord.Completed(s.problems().notReset())));
  }
}
