package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.device.DeviceException.Kind;

/**
 * Which of the ten states a device is in whose own interface has fewer: what the interface does not
 * tell is kept here. Also knows what must not happen whatever the interface would allow.
 *
 * <p>Used by one thread.
 */
public final class StateTracker {
  private final String device;
  private final MigrationEnd end;
  private DeviceState state = DeviceState.NONE;
  private boolean disturbed;
  private boolean strayed;
  private boolean askedToRun;
  private boolean holdsForeignState;

  /**
   * @param device its id, for messages
   * @param end settles what "stopped" means
   */
  public StateTracker(String device, MigrationEnd end) {
    this.device = device;
    this.end = end;
  }

  public DeviceState state() {
    return state;
  }

  /** For messages: the device and its state. */
  public String subject() {
    return "device " + device + " (state " + state + ")";
  }

  /**
   * What "stopped" means: STOPNCOPY at the source, whose state is intact; RESUME_COMPLETED at the
   * destination, also where nobody held the device: it would run had it been reset, so it holds
   * somebody's state.
   */
  public DeviceState stopped() {
    return switch (end) {
      case SOURCE -> DeviceState.STOPNCOPY;
      case DESTINATION -> DeviceState.RESUME_COMPLETED;
    };
  }

  /** What an interface calls halfway between running and stopped. */
  public DeviceState halfStopped() {
    return end == MigrationEnd.SOURCE ? DeviceState.SETUP : stopped();
  }

  /** The device was opened or reset, and said where it is. */
  public void found(DeviceState where) {
    state = where;
    disturbed = false;
    strayed = false;
    askedToRun = false;
    holdsForeignState = where == DeviceState.RESUME || where == DeviceState.RESUME_COMPLETED;
  }

  /** The device is there. */
  public void reached(DeviceState target) {
    state = target;
    disturbed = false;
    strayed = false;
    askedToRun = false;
    if (target == DeviceState.RESUME) {
      holdsForeignState = true;
    } else if (target == DeviceState.RUNNING) {
      holdsForeignState = false;
    }
  }

  /** The state is kept here alone; the device stays where it is. */
  public void noted(DeviceState target) {
    state = target;
  }

  /** A change did not end as it should: the device may be elsewhere than it was. */
  public void disturbed() {
    disturbed = true;
  }

  /**
   * Whether what the device had taken in may still be run where the device says that it runs
   * already: our own change to RUNNING failed, and nobody else has led it.
   */
  public boolean mayHaveBegunToRun() {
    return state == DeviceState.RESUME_COMPLETED && askedToRun && !strayed;
  }

  /** The device was asked for a change to {@code target}, which did not end as it should. */
  public void failedOnTheWayTo(DeviceState target) {
    disturbed = true;
    askedToRun |= target == DeviceState.RUNNING;
  }

  /** The device is in an error state of its interface. */
  public void broken() {
    state = DeviceState.FAILED;
    disturbed = true;
  }

  /** Whether there is nothing to do. */
  public boolean isAt(DeviceState target) {
    return state == target && !disturbed;
  }

  /**
   * Refuses what the interface of 2018 does not allow, and to run what was given up.
   *
   * @throws DeviceException TRANSITION_FAILED; the device was not asked
   */
  public void requireAllowed(DeviceState target) throws DeviceException {
    if (target != state && !TransitionRules.allows(state, target)) {
      throw refused(
          String.format(
              "the interface does not allow a change from %s to %s, only to %s. The device was not"
                  + " asked and is as before.",
              state, target, TransitionRules.allowedFrom(state)),
          null);
    }
    if (target == DeviceState.RUNNING
        && holdsForeignState
        && state != DeviceState.RESUME_COMPLETED) {
      throw refused(
          "it has taken in state from elsewhere, which was given up and must not run. The device"
              + " was not asked and is as before; reset it.",
          null);
    }
  }

  /**
   * The device is where nobody here led it: who holds it beside us may have reset it.
   *
   * @param where in the words of its interface
   */
  public DeviceException strayed(String where, DeviceState target) {
    disturbed = true;
    strayed = true;
    if (state == DeviceState.RESUME_COMPLETED && target == DeviceState.RUNNING) {
      return DeviceFailures.stateLost(subject(), where);
    }
    return refused(
        String.format(
            "the device says that it is in %s, where this agent did not leave it: it was reset, or"
                + " led by somebody else. It was not asked to change to %s; lead it out through"
                + " FAILED.",
            where, target),
        null);
  }

  /**
   * The device is in an error state, which only a reset leaves.
   *
   * @param name in the words of its interface
   */
  public DeviceException inErrorState(String name, DeviceState target) {
    broken();
    return refused(
        String.format(
            "it is in %s, so it cannot go to %s. Nothing was done to it; only a reset leads out,"
                + " which loses its state.",
            name, target),
        null);
  }

  /**
   * TRANSITION_FAILED.
   *
   * @param what a sentence
   * @param cause null where there is none
   */
  public DeviceException refused(String what, Exception cause) {
    return new DeviceException(Kind.TRANSITION_FAILED, 0, subject() + ": " + what, cause);
  }
}
