package dev.vfio.migration.vfio.device;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import java.util.Set;
import java.util.function.Function;

/**
 * Which of our ten states a device is in, where the device's own interface has fewer states. Also
 * refuses the changes that must not happen although the device's interface would allow them.
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
   * destination. The latter holds also where nobody held the device: a reset would have made it
   * run, so a stopped device holds somebody's state.
   */
  public DeviceState stopped() {
    return switch (end) {
      case SOURCE -> DeviceState.STOPNCOPY;
      case DESTINATION -> DeviceState.RESUME_COMPLETED;
    };
  }

  /** What a position halfway between running and stopped means. */
  public DeviceState halfStopped() {
    return end == MigrationEnd.SOURCE ? DeviceState.SETUP : stopped();
  }

  /** The device was opened or reset, and reported this state. */
  public void found(DeviceState where) {
    state = where;
    disturbed = false;
    strayed = false;
    askedToRun = false;
    holdsForeignState = where == DeviceState.RESUME || where == DeviceState.RESUME_COMPLETED;
  }

  /** The device reached the state it was asked for. */
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

  /** Notes that state here only; the device stays where it is. */
  public void noted(DeviceState target) {
    state = target;
  }

  /** The device may be in another state than the one noted here. */
  public void disturbed() {
    disturbed = true;
  }

  /**
   * Whether a loaded device that reports that it runs may count as ours: our own change to RUNNING
   * failed on the way, and nobody else has changed the device.
   */
  public boolean mayHaveBegunToRun() {
    return state == DeviceState.RESUME_COMPLETED && askedToRun && !strayed;
  }

  /** The device was asked for {@code target} and did not reach it. */
  public void failedOnTheWayTo(DeviceState target) {
    disturbed = true;
    askedToRun |= target == DeviceState.RUNNING;
  }

  /** The device is in an error state of its interface. */
  public void broken() {
    state = DeviceState.FAILED;
    disturbed = true;
  }

  /** Whether the device is known to be in that state, so that nothing has to be done. */
  public boolean isAt(DeviceState target) {
    return state == target && !disturbed;
  }

  /**
   * Refuses a change that the 2018 interface does not allow, and RUNNING for state that was given
   * up.
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
   * The device is where this agent did not lead it: another holder may have reset it.
   *
   * @param where the position in the words of the device's interface
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
   * The device is in an error state, which it leaves only by a reset.
   *
   * @param name of the error state in the words of the device's interface
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

  /**
   * The device reports a state that has no meaning here, before it was asked for a change.
   *
   * @param undefined what it reports
   */
  public DeviceException undefined(UndefinedStateException undefined, DeviceState target) {
    disturbed = true;
    return refused(
        String.format(
            "it reports %s, so it cannot be led to %s. Nothing was done to it; reset it.",
            undefined.getMessage(), target),
        undefined);
  }

  /** Asks a device for its position in the words of its own interface. */
  @FunctionalInterface
  public interface Question<P> {
    P ask() throws AccessException, UndefinedStateException;
  }

  /**
   * As {@link MigratableDevice#requireLoaded}.
   *
   * @param loaded the positions of a device that was loaded
   * @param words names a position, for messages
   */
  public <P> void requireLoaded(Question<P> question, Set<P> loaded, Function<P, String> words)
      throws DeviceException {
    requireAt(question, loaded, words, where -> DeviceFailures.stateLost(subject(), where));
  }

  /**
   * As {@link MigratableDevice#requireUnchanged}.
   *
   * @param expected the positions that the noted state allows
   * @param words names a position, for messages
   */
  public <P> void requireUnchanged(Question<P> question, Set<P> expected, Function<P, String> words)
      throws DeviceException {
    requireAt(question, expected, words, where -> DeviceFailures.elsewhere(subject(), where));
  }

  private <P> void requireAt(
      Question<P> question,
      Set<P> expected,
      Function<P, String> words,
      Function<String, DeviceException> elsewhere)
      throws DeviceException {
    try {
      P now = question.ask();
      if (!expected.contains(now)) {
        throw elsewhere.apply(words.apply(now));
      }
    } catch (UndefinedStateException undefined) {
      throw elsewhere.apply(undefined.getMessage());
    } catch (AccessException failure) {
      throw DeviceFailures.stateNotRead(subject(), failure);
    }
  }

  /**
   * Resets a device and notes the state that it reports afterwards.
   *
   * @param reset the reset, and what has to follow it at once
   * @param question asks for the state
   */
  public void reset(Reset reset, Question<DeviceState> question) throws DeviceException {
    try {
      reset.run();
    } catch (AccessException failure) {
      throw DeviceFailures.resetRefused(subject(), failure);
    }
    try {
      found(question.ask());
    } catch (AccessException failure) {
      throw DeviceFailures.duringAction(
          subject(),
          "asking for its state after the reset",
          Kind.TRANSITION_FAILED,
          failure,
          "It was reset; open it anew.");
    } catch (UndefinedStateException undefined) {
      throw DeviceFailures.undefinedState(device, undefined, "It was reset before.");
    }
  }

  /** Resets a device. */
  @FunctionalInterface
  public interface Reset {
    void run() throws AccessException;
  }

  /**
   * Asks a device that is being opened for its position. Changes nothing.
   *
   * @param what is asked for, for messages
   */
  public <P> P whileOpening(String what, Question<P> question) throws DeviceException {
    try {
      return question.ask();
    } catch (AccessException failure) {
      throw DeviceFailures.whileOpening(device, what, failure);
    } catch (UndefinedStateException undefined) {
      throw DeviceFailures.undefinedState(
          device, undefined, "Nothing was done to the device; reset it.");
    }
  }
}
