package dev.vfio.migration.vfio.region;

import static dev.vfio.migration.vfio.device.DeviceFailures.UNTOUCHED;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.TransitionRules;
import dev.vfio.migration.vfio.linux.Errno;

/**
 * The state of a device with a 2018 region: what was written to {@code device_state}, what the
 * device reports of it, and how much that report is worth. The text has the user write the state
 * and says nothing of reading it, so a driver may refuse to report it. For one thread.
 */
final class Region2018Transitions {
  private final String device;
  private final RegionRegisters registers;
  private DeviceState state = DeviceState.NONE;
  private boolean stateKnown;
  private boolean reportsThatItIsLoaded;
  private boolean runRefused;

  /** Whether the driver has let its state be read. */
  private boolean reportedItsState;

  /**
   * @param device its id, for messages
   */
  Region2018Transitions(String device, RegionRegisters registers) {
    this.device = device;
    this.registers = registers;
  }

  DeviceState state() {
    return state;
  }

  boolean stateKnown() {
    return stateKnown;
  }

  /** For messages: the device and its state. */
  String subject() {
    return "device " + device + " (state " + (stateKnown ? state.name() : "not known") + ")";
  }

  /** Reads the state of a device that was opened or reset. A refusal leaves it unknown. */
  void readBack() throws DeviceException {
    state = DeviceState.NONE;
    stateKnown = false;
    reportsThatItIsLoaded = false;
    runRefused = false;
    reportedItsState = false;
    try {
      state = DeviceState.ofWireValue(registers.readDeviceState());
      stateKnown = true;
      reportedItsState = true;
      reportsThatItIsLoaded = state == DeviceState.RESUME_COMPLETED;
    } catch (AccessException failure) {
      if (failure.reason() != Reason.REFUSED) {
        throw DeviceFailures.whileOpening(device, "its state", failure);
      }
    } catch (IllegalArgumentException undefined) {
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          String.format(
              "device %s reports a state that the interface does not know: %s. Nothing was done to"
                  + " the device; reset it.",
              device, undefined.getMessage()),
          undefined);
    }
  }

  void requireAllowed(DeviceState target) throws DeviceException {
    if (stateKnown && !TransitionRules.allows(state, target)) {
      throw Kind.TRANSITION_FAILED.exception(
          "%s: the interface does not allow a change from %s to %s, only to %s. The device was"
              + " not asked and is as before.",
          subject(), state, target, TransitionRules.allowedFrom(state));
    }
    if (target == DeviceState.RUNNING) {
      requireStillLoaded();
    }
  }

  /** Carries out a change that {@link #requireAllowed} let pass. */
  void to(DeviceState target) throws DeviceException {
    try {
      registers.writeDeviceState(target.wireValue());
    } catch (AccessException failure) {
      if (target == DeviceState.RUNNING && runsAlready(failure)) {
        state = target;
        stateKnown = true;
        return;
      }
      runRefused = target == DeviceState.RUNNING;
      throw failed(
          "the change to " + target,
          Kind.TRANSITION_FAILED,
          failure,
          "The device refused it and counts as being in the state before; lead it out through"
              + " FAILED, or reset it.");
    }
    boolean reported = requireThere(target);
    state = target;
    stateKnown = true;
    runRefused = false;
    reportsThatItIsLoaded = reported && target == DeviceState.RESUME_COMPLETED;
  }

  /**
   * Checks a driver's success: the device has to report the state. A driver that does not let its
   * state be read is believed. FAILED and CANCELLED are not checked, because they only announce the
   * way back and the device may be RUNNING already.
   *
   * @return whether the device reports that it reached the state
   */
  private boolean requireThere(DeviceState target) throws DeviceException {
    if (target == DeviceState.FAILED || target == DeviceState.CANCELLED) {
      return false;
    }
    int now;
    try {
      now =
          registers.deviceStateAfter(
              value -> isThere(value, target) || value == DeviceState.FAILED.wireValue());
    } catch (AccessException failure) {
      if (mayHideItsState(failure)) {
        return false;
      }
      runRefused = target == DeviceState.RUNNING;
      throw failed(
          "asking where it is after the change to " + target + ", which its driver took,",
          Kind.READ_FAILED,
          failure,
          "It counts as being in the state before; lead it out through FAILED, or reset it.");
    }
    if (isThere(now, target)) {
      reportedItsState = true;
      return true;
    }
    String subject = subject();
    runRefused = target == DeviceState.RUNNING;
    boolean failed = now == DeviceState.FAILED.wireValue();
    if (failed) {
      state = DeviceState.FAILED;
    }
    throw DeviceFailures.notReached(
        subject,
        target.name(),
        nameOf(now),
        target,
        failed
            ? "It counts as being in FAILED; reset it."
            : "It counts as being in the state before; lead it out through FAILED, or reset it.");
  }

  /** Whether this is no failure: by EINVAL, or always, a driver refuses to report its state. */
  private boolean mayHideItsState(AccessException failure) {
    return failure.refusedWith(Errno.EINVAL)
        || (failure.reason() == Reason.REFUSED && !reportedItsState);
  }

  /** A driver may begin anew after SAVE_COMPLETED and report NONE: it stands still in both. */
  private static boolean isThere(int reported, DeviceState target) {
    boolean cleanedUp =
        target == DeviceState.SAVE_COMPLETED && reported == DeviceState.NONE.wireValue();
    return reported == target.wireValue() || cleanedUp;
  }

  /**
   * By the text CANCELLED, and FAILED at the source, are themselves the way back to running. A
   * device that went back to RUNNING by itself may refuse to be set to it.
   */
  private boolean runsAlready(AccessException failure) {
    boolean askedToGoBack = state == DeviceState.CANCELLED || state == DeviceState.FAILED;
    if (!stateKnown || !askedToGoBack || failure.errno() != Errno.EINVAL.number()) {
      return false;
    }
    try {
      int running = DeviceState.RUNNING.wireValue();
      return registers.deviceStateAfter(value -> value == running) == running;
    } catch (AccessException unreadable) {
      return false;
    }
  }

  /**
   * Another holder may have reset the device after it was loaded. A driver that reported
   * RESUME_COMPLETED when it was loaded has to report it still.
   */
  private void requireStillLoaded() throws DeviceException {
    if (!reportsThatItIsLoaded) {
      return;
    }
    int reported;
    try {
      reported = registers.readDeviceState();
    } catch (AccessException failure) {
      if (failure.reason() == Reason.REFUSED) {
        return;
      }
      throw failed("asking for its state", Kind.TRANSITION_FAILED, failure, UNTOUCHED);
    }
    boolean begunToRun = runRefused && reported == DeviceState.RUNNING.wireValue();
    if (reported != DeviceState.RESUME_COMPLETED.wireValue() && !begunToRun) {
      throw DeviceFailures.stateLost(subject(), nameOf(reported));
    }
  }

  void requireLoaded() throws DeviceException {
    try {
      int reported = registers.askDeviceState();
      if (reportsThatItIsLoaded && reported != DeviceState.RESUME_COMPLETED.wireValue()) {
        throw DeviceFailures.stateLost(subject(), nameOf(reported));
      }
    } catch (AccessException failure) {
      // A device that never reported its state has at least answered.
      if (reportsThatItIsLoaded || failure.reason() != Reason.REFUSED) {
        throw DeviceFailures.stateNotRead(subject(), failure);
      }
    }
  }

  void requireUnchanged() throws DeviceException {
    try {
      int reported = registers.readDeviceState();
      if (reportedItsState && reported != state.wireValue()) {
        throw DeviceFailures.elsewhere(subject(), nameOf(reported));
      }
    } catch (AccessException failure) {
      if (!mayHideItsState(failure)) {
        throw DeviceFailures.stateNotRead(subject(), failure);
      }
    }
  }

  private static String nameOf(int wireValue) {
    try {
      return DeviceState.ofWireValue(wireValue).name();
    } catch (IllegalArgumentException undefined) {
      return "the state " + wireValue + ", which the interface does not know";
    }
  }

  private DeviceException failed(
      String what, Kind ifRefused, AccessException failure, String consequence) {
    return DeviceFailures.duringAction(subject(), what, ifRefused, failure, consequence);
  }
}
