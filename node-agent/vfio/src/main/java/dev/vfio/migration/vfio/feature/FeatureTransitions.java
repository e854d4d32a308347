package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.DeviceFailures;
import dev.vfio.migration.vfio.device.DeviceState;
import dev.vfio.migration.vfio.device.MigrationFlag;
import dev.vfio.migration.vfio.device.StateTracker;
import dev.vfio.migration.vfio.device.UndefinedStateException;
import dev.vfio.migration.vfio.device.UnreportedState;
import java.util.List;
import java.util.Set;

/**
 * Leads a device through the states of the v2 interface, one hop at a time, and hands the data
 * files that hops bring to {@link DataFile}. A driver's success is verified: after the last hop the
 * device has to report its state. {@link UnreportedState} covers drivers that do not report it.
 */
final class FeatureTransitions {
  /** No way leads there. */
  private static final class NoWayException extends Exception {
    private static final long serialVersionUID = 1L;

    NoWayException(String message) {
      super(message);
    }
  }

  /** A hop brought no data file where a stream begins, or brought one where none does. */
  private static final class FileRuleException extends Exception {
    private static final long serialVersionUID = 1L;

    FileRuleException(String message) {
      super(message);
    }
  }

  /** A change was answered with success, and the device is elsewhere. */
  private static final class NotThereException extends Exception {
    private static final long serialVersionUID = 1L;

    private final FeatureState wanted;

    /** Null where the device reports a state that is not known here. */
    private final transient FeatureState now;

    NotThereException(FeatureState wanted, FeatureState now, String where) {
      super(where);
      this.wanted = wanted;
      this.now = now;
    }
  }

  private final FeatureAccess access;
  private final Set<MigrationFlag> flags;
  private final StateControl control;
  private final DataFile file;
  private final StateTracker tracker;
  private final UnreportedState unreported = new UnreportedState();

  FeatureTransitions(
      FeatureAccess access, Set<MigrationFlag> flags, DataFile file, StateTracker tracker) {
    this.access = access;
    this.flags = flags;
    this.control = new StateControl(access);
    this.file = file;
    this.tracker = tracker;
  }

  /** The state of a device that is being opened. */
  FeatureState whileOpening() throws DeviceException {
    return tracker.whileOpening("its migration state", this::position);
  }

  /** Asks the device where it is. */
  FeatureState position() throws AccessException, UndefinedStateException {
    int number;
    try {
      number = control.get();
    } catch (AccessException failure) {
      if (unreported.saysRunning(failure)) {
        return FeatureState.RUNNING;
      }
      throw failure;
    }
    FeatureState found = FeatureState.of(number);
    if (found == null) {
      throw new UndefinedStateException(
          "the migration state " + number + ", which this agent does not know");
    }
    return found;
  }

  /** The device was reset, so it is as one that nobody has changed. */
  void wasReset() {
    unreported.wasReset();
  }

  /**
   * Leads the device to a state, hop by hop.
   *
   * @param target the state that the tracker notes afterwards
   * @param from where the device may be now
   * @throws DeviceException TRANSITION_FAILED, also where the driver answers success and the device
   *     is elsewhere; READ_FAILED where it answers success and does not report its state;
   *     PROTOCOL_VIOLATION where it breaks the rules of data files
   */
  void lead(DeviceState target, FeatureState wanted, Set<FeatureState> from)
      throws DeviceException {
    FeatureState at = null;
    boolean taken = false;
    try {
      at = position();
      if (at == FeatureState.ERROR) {
        throw tracker.inErrorState("ERROR", target);
      }
      if (!from.contains(at)) {
        throw tracker.strayed(at.name(), target);
      }
      to(at, wanted);
      taken = true;
      if (at != wanted) {
        requireThere(wanted);
      }
      tracker.reached(target);
    } catch (NotThereException elsewhere) {
      tracker.failedOnTheWayTo(target);
      throw DeviceFailures.notReached(
          tracker.subject(),
          elsewhere.wanted.name(),
          elsewhere.getMessage(),
          target,
          elsewhere.now == null ? "Reset it." : consequence(elsewhere.now));
    } catch (UndefinedStateException undefined) {
      throw tracker.undefined(undefined, target);
    } catch (NoWayException noWay) {
      throw tracker.refused(
          noWay.getMessage()
              + ", so it cannot be led to "
              + target
              + ". The device was not asked and is as before.",
          noWay);
    } catch (FileRuleException broken) {
      tracker.disturbed();
      throw new DeviceException(
          Kind.PROTOCOL_VIOLATION,
          0,
          String.format(
              "%s: on the way to %s %s. It was not led any further; lead it out through FAILED.",
              tracker.subject(), target, broken.getMessage()),
          broken);
    } catch (AccessException failure) {
      if (at == null) {
        tracker.disturbed();
      } else {
        tracker.failedOnTheWayTo(target);
      }
      String before = tracker.subject();
      String now = at == null ? "It was not asked to change and is as before." : afterRefusal();
      throw DeviceFailures.duringAction(
          before,
          "the change to " + target,
          taken ? Kind.READ_FAILED : Kind.TRANSITION_FAILED,
          failure,
          now);
    }
  }

  /** By the text, a change that failed may leave the device anywhere on its way. */
  private String afterRefusal() {
    try {
      return consequence(position());
    } catch (AccessException | UndefinedStateException unreadable) {
      return "What state it is in now is not known ("
          + unreadable.getMessage()
          + "); lead it out through FAILED, or reset it.";
    }
  }

  /** Where a failed change has left the device, and what to do next; a sentence. */
  private String consequence(FeatureState now) {
    return switch (now) {
      case ERROR -> {
        tracker.broken();
        yield "The device is in ERROR now; only a reset leads out, which loses its state.";
      }
      case RESUMING ->
          "The device is in RESUMING now; what it took in is given up by a reset alone.";
      case STOP, RUNNING, STOP_COPY, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P ->
          "The device says that it is in " + now + " now; lead it out through FAILED.";
    };
  }

  /** Verifies the driver's success by one question, which costs the pause next to nothing. */
  private void requireThere(FeatureState wanted) throws AccessException, NotThereException {
    try {
      FeatureState now = position();
      if (now != wanted) {
        throw new NotThereException(wanted, now, now.name());
      }
    } catch (UndefinedStateException unknown) {
      throw new NotThereException(wanted, null, unknown.getMessage());
    } catch (AccessException failure) {
      throw new AccessException(
          failure.reason(),
          failure.errno(),
          "its driver answered the change to "
              + wanted
              + " with success, and asked where the device is: "
              + failure.getMessage(),
          failure);
    }
  }

  private void to(FeatureState from, FeatureState wanted)
      throws AccessException, NoWayException, FileRuleException, NotThereException {
    List<FeatureState> hops = FeatureHops.path(from, wanted, flags);
    if (hops == null) {
      throw new NoWayException(
          "no way leads from " + from + " to " + wanted + " for a device that offers " + flags);
    }
    FeatureState at = from;
    for (FeatureState hop : hops) {
      take(at, hop);
      at = hop;
    }
    if (hops.isEmpty() && !wanted.saving() && wanted != FeatureState.RESUMING) {
      // The device came here by itself, and the file of where it was is stale.
      file.close();
    }
  }

  private void take(FeatureState at, FeatureState hop)
      throws AccessException, FileRuleException, NotThereException {
    int descriptor;
    try {
      descriptor = control.set(hop);
    } catch (AccessException failure) {
      throw new AccessException(
          failure.reason(),
          failure.errno(),
          "from " + at + " to " + hop + ": " + failure.getMessage(),
          failure);
    }
    unreported.changeTaken();
    boolean begins = hop == FeatureState.RESUMING || (hop.saving() && !at.saving());
    boolean goesOn = hop.saving() && at.saving();
    if (descriptor >= 0) {
      if (!begins) {
        access.stateFile(descriptor).close();
      }
      if (goesOn) {
        throw new FileRuleException(
            "it began a new stream from " + at + " to " + hop + ", where the one before goes on");
      }
    }
    if (begins) {
      if (descriptor < 0) {
        requireThere(hop);
        throw new FileRuleException("it gave no data file from " + at + " to " + hop);
      }
      file.begin(access.stateFile(descriptor));
    } else if (!goesOn) {
      file.close();
    }
  }
}
