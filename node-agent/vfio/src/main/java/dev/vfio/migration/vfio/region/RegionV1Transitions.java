package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.StateChange;
import dev.vfio.migration.vfio.device.StateTracker;
import dev.vfio.migration.vfio.device.UndefinedStateException;
import dev.vfio.migration.vfio.device.UnreportedState;
import dev.vfio.migration.vfio.linux.Errno;
import java.util.EnumSet;
import java.util.Set;

/**
 * Changes the state of a device with a v1 region: what is written to the three bits, what is read
 * back, and what a driver's refusal means. {@link RegionV1} says which of our states each position
 * is. For one thread.
 */
final class RegionV1Transitions {
  private final DeviceAccess access;
  private final RegionRegisters registers;
  private final StateTracker tracker;
  private final UnreportedState unreported = new UnreportedState();

  /** Whether the device was reset by this object, and nothing was done to it since. */
  private boolean holdsNothing;

  /** Whether its driver checks, at the change from 100 to 000, that the loaded state is whole. */
  private boolean checksWhenStopped = true;

  RegionV1Transitions(DeviceAccess access, RegionRegisters registers, StateTracker tracker) {
    this.access = access;
    this.registers = registers;
    this.tracker = tracker;
  }

  /** The state of a device that is being opened. */
  RegionV1State whileOpening() throws DeviceException {
    RegionV1State found = tracker.whileOpening("its state", this::position);
    checksWhenStopped = found != RegionV1State.RESUMING;
    return found;
  }

  DeviceState meaningOf(RegionV1State found, boolean adopted) {
    return switch (found) {
      case RUNNING -> DeviceState.RUNNING;
      case PRE_COPY -> DeviceState.PRECOPY;
      case STOP_AND_COPY -> DeviceState.STOPNCOPY;
      case RESUMING -> resumingMeans(adopted);
      case ERROR -> DeviceState.FAILED;
      case STOPPED -> tracker.stopped();
    };
  }

  /** A destination's device is given to another holder only after everything was loaded. */
  private DeviceState resumingMeans(boolean adopted) {
    return adopted && tracker.stopped() == DeviceState.RESUME_COMPLETED
        ? DeviceState.RESUME_COMPLETED
        : DeviceState.RESUME;
  }

  /** Reads the register of the state. */
  @FunctionalInterface
  private interface Register {
    int read() throws AccessException;
  }

  /** The register, also of a driver that does not report it while its device runs. */
  private int deviceState(Register register) throws AccessException {
    try {
      return register.read();
    } catch (AccessException failure) {
      if (unreported.saysRunning(failure)) {
        return RegionV1Layout.STATE_RUNNING;
      }
      throw failure;
    }
  }

  private RegionV1State position() throws AccessException, UndefinedStateException {
    return RegionV1State.of(deviceState(registers::readDeviceState));
  }

  /** The position after a change that the driver took and may still be carrying out. */
  private RegionV1State positionAfter(RegionV1State wanted)
      throws AccessException, UndefinedStateException {
    return RegionV1State.of(
        deviceState(
            () ->
                registers.deviceStateAfter(
                    now -> wanted.in(now) == now || RegionV1State.ERROR.in(now) == now)));
  }

  /** Carries out a change that the 2018 interface allows. */
  void to(DeviceState target) throws DeviceException {
    StateChange change =
        switch (target) {
          case SETUP ->
              () -> change(target, RegionV1State.RUNNING, EnumSet.of(RegionV1State.RUNNING));
          case PRECOPY ->
              () -> change(target, RegionV1State.PRE_COPY, EnumSet.of(RegionV1State.RUNNING));
          case STOPNCOPY ->
              () ->
                  change(
                      target,
                      RegionV1State.STOP_AND_COPY,
                      EnumSet.of(
                          tracker.state() == DeviceState.PRECOPY
                              ? RegionV1State.PRE_COPY
                              : RegionV1State.RUNNING));
          case SAVE_COMPLETED ->
              () ->
                  change(
                      target,
                      RegionV1State.STOPPED,
                      EnumSet.of(RegionV1State.STOP_AND_COPY, RegionV1State.STOPPED));
          case RESUME -> this::resume;
          case RESUME_COMPLETED ->
              () ->
                  change(
                      target,
                      checksWhenStopped ? RegionV1State.STOPPED : RegionV1State.RESUMING,
                      EnumSet.of(RegionV1State.RESUMING));
          case RUNNING -> this::run;
          case FAILED, CANCELLED -> () -> tracker.noted(target);
          case NONE -> throw new IllegalStateException("nothing leads to NONE");
        };
    change.make();
  }

  /** A device that was just reset holds nothing, which is how its driver's check is found out. */
  private void resume() throws DeviceException {
    beginToResume();
    if (holdsNothing) {
      holdsNothing = false;
      if (findWhenItChecks() != RegionV1State.RESUMING) {
        reset();
        holdsNothing = false;
        beginToResume();
      }
    }
  }

  private void beginToResume() throws DeviceException {
    change(
        DeviceState.RESUME,
        RegionV1State.RESUMING,
        EnumSet.of(RegionV1State.RUNNING, RegionV1State.STOPPED));
  }

  /**
   * Tries to stop a device that holds nothing. A driver that accepts nothing as a whole state does
   * not check at the change from 100 to 000, and the change from 000 to 001 is not checked either.
   *
   * @return where the device is now; null where it does not say so, which a reset mends
   */
  private RegionV1State findWhenItChecks() throws DeviceException {
    try {
      RegionV1State now = tryToStop();
      // The position counts, and not the driver's answer.
      checksWhenStopped = now != RegionV1State.STOPPED;
      return now;
    } catch (AccessException failure) {
      if (failure.reason() == Reason.REFUSED) {
        return null;
      }
      tracker.failedOnTheWayTo(DeviceState.RESUME);
      throw DeviceFailures.duringAction(
          tracker.subject(),
          "finding out when its driver looks at what was loaded",
          Kind.TRANSITION_FAILED,
          failure,
          "Nothing was loaded into it; reset it.");
    } catch (UndefinedStateException undefined) {
      return null;
    }
  }

  private RegionV1State tryToStop() throws AccessException, UndefinedStateException {
    int register = registers.readDeviceState();
    try {
      registers.writeDeviceState(RegionV1State.STOPPED.in(register));
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw failure;
      }
      return position();
    }
    return positionAfter(RegionV1State.STOPPED);
  }

  private void run() throws DeviceException {
    boolean loaded = tracker.state() == DeviceState.RESUME_COMPLETED;
    EnumSet<RegionV1State> from =
        EnumSet.complementOf(EnumSet.of(RegionV1State.RESUMING, RegionV1State.ERROR));
    if (loaded) {
      from.add(RegionV1State.RESUMING);
      if (!tracker.mayHaveBegunToRun()) {
        // A loaded device that already runs was reset, and its loaded state is lost.
        from.retainAll(EnumSet.of(RegionV1State.STOPPED, RegionV1State.RESUMING));
      }
    }
    boolean firstCheck = loaded && !checksWhenStopped;
    try {
      change(DeviceState.RUNNING, RegionV1State.RUNNING, from);
    } catch (DeviceException refused) {
      throw firstCheck && refused.kind() == Kind.TRANSITION_FAILED ? unchecked(refused) : refused;
    }
  }

  private static DeviceException unchecked(DeviceException refused) {
    return new DeviceException(
        refused.kind(),
        refused.errno(),
        refused.getMessage()
            + " Its driver does not look at what it took in before it is to run, so this may be its"
            + " word that the state is not whole, although it took every byte that the source"
            + " handed out.",
        refused);
  }

  private void change(DeviceState target, RegionV1State wanted, Set<RegionV1State> from)
      throws DeviceException {
    boolean written = false;
    boolean taken = false;
    try {
      int register = deviceState(registers::readDeviceState);
      RegionV1State before = RegionV1State.of(register);
      if (before == RegionV1State.ERROR) {
        throw tracker.inErrorState(before.words(), target);
      }
      if (!from.contains(before)) {
        throw tracker.strayed(before.words(), target);
      }
      written = true;
      if (before != wanted) {
        registers.writeDeviceState(wanted.in(register));
        unreported.changeTaken();
        taken = true;
        RegionV1State now = positionAfter(wanted);
        if (now != wanted) {
          throw notThere(target, wanted, now, now.words());
        }
      }
      tracker.reached(target);
    } catch (UndefinedStateException undefined) {
      throw taken
          ? notThere(target, wanted, null, undefined.getMessage())
          : tracker.undefined(undefined, target);
    } catch (AccessException failure) {
      if (written && !taken && target == DeviceState.RESUME_COMPLETED && waitsInResuming(failure)) {
        tracker.reached(target);
        return;
      }
      throw changeFailed(target, written, taken, failure);
    }
  }

  /**
   * @param written whether the change was asked for
   * @param taken whether the driver answered it with success
   */
  private DeviceException changeFailed(
      DeviceState target, boolean written, boolean taken, AccessException failure) {
    if (written) {
      tracker.failedOnTheWayTo(target);
    } else {
      tracker.disturbed();
    }
    String subject = tracker.subject();
    String next = written ? afterRefusal() : "It was not asked to change and is as before.";
    return taken
        ? DeviceFailures.duringAction(
            subject,
            "asking where it is after the change to " + target + ", which its driver took,",
            Kind.READ_FAILED,
            failure,
            next)
        : DeviceFailures.duringAction(
            subject, "the change to " + target, Kind.TRANSITION_FAILED, failure, next);
  }

  /**
   * The driver answered the change with success, and the device is elsewhere.
   *
   * @param now null where that is no state of the interface
   */
  private DeviceException notThere(
      DeviceState target, RegionV1State wanted, RegionV1State now, String where) {
    tracker.failedOnTheWayTo(target);
    return DeviceFailures.notReached(
        tracker.subject(),
        wanted.words(),
        where,
        target,
        now == null ? "Reset it." : consequence(now));
  }

  /** Whether the driver does not know the change from 100 to 000, and is ready for 001. */
  private boolean waitsInResuming(AccessException failure) {
    if (!failure.refusedWith(Errno.EINVAL)) {
      return false;
    }
    try {
      checksWhenStopped = position() != RegionV1State.RESUMING;
      return !checksWhenStopped;
    } catch (AccessException | UndefinedStateException unreadable) {
      return false;
    }
  }

  void requireLoaded() throws DeviceException {
    // A driver that does not know the change from 100 to 000 waits in 100.
    tracker.requireLoaded(
        () -> RegionV1State.of(deviceState(registers::askDeviceState)),
        EnumSet.of(RegionV1State.STOPPED, RegionV1State.RESUMING),
        RegionV1State::words);
  }

  void requireUnchanged() throws DeviceException {
    tracker.requireUnchanged(this::position, positionsIn(tracker.state()), RegionV1State::words);
  }

  /** Where the device may be in that state. */
  private static Set<RegionV1State> positionsIn(DeviceState state) {
    return switch (state) {
      case RUNNING, SETUP -> EnumSet.of(RegionV1State.RUNNING);
      case PRECOPY -> EnumSet.of(RegionV1State.PRE_COPY);
      // A source that was found stopped counts as STOPNCOPY.
      case STOPNCOPY -> EnumSet.of(RegionV1State.STOP_AND_COPY, RegionV1State.STOPPED);
      case SAVE_COMPLETED -> EnumSet.of(RegionV1State.STOPPED);
      case RESUME -> EnumSet.of(RegionV1State.RESUMING);
      case RESUME_COMPLETED -> EnumSet.of(RegionV1State.STOPPED, RegionV1State.RESUMING);
      case NONE, FAILED, CANCELLED -> EnumSet.allOf(RegionV1State.class);
    };
  }

  /** The text of the interface: where a change fails, the state is read again. */
  private String afterRefusal() {
    try {
      return consequence(position());
    } catch (AccessException | UndefinedStateException unreadable) {
      return "What state it is in cannot be read ("
          + unreadable.getMessage()
          + "); lead it out through FAILED, or reset it.";
    }
  }

  /** Where a failed change has left the device, and what to do next; a sentence. */
  private String consequence(RegionV1State now) {
    if (now == RegionV1State.ERROR) {
      tracker.broken();
      return "The device is in its error state (110) now; only a reset leads out, which loses its"
          + " state.";
    }
    return "The device did not change as asked and says that it is in "
        + now.words()
        + "; lead it out through FAILED, or reset it.";
  }

  /**
   * Makes sure that a device with nothing pending is still in stop-and-copy. A device that was
   * reset has nothing pending either, and its state would be cut short.
   */
  void requireStillSaving() throws AccessException, DeviceException {
    int register = registers.readDeviceState();
    if (RegionV1State.STOP_AND_COPY.in(register) != register) {
      tracker.disturbed();
      throw Kind.READ_FAILED.exception(
          "%s: nothing is pending, but it left stop-and-copy (device_state 0x%x): it was reset,"
              + " or led by somebody else, before it had handed out everything. This attempt"
              + " cannot be completed: lead it out through FAILED.",
          tracker.subject(), register);
    }
  }

  void reset() throws DeviceException {
    tracker.reset(
        () -> {
          access.reset();
          unreported.wasReset();
        },
        () -> meaningOf(position(), false));
    holdsNothing = tracker.state() == DeviceState.RUNNING;
  }
}
