package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.FeatureAccess;
import dev.vfio.migration.vfio.device.MigrationFlag;
import java.util.List;
import java.util.Set;

/**
 * Leads a device through the states of the v2 interface, one hop at a time, and hands the data
 * files that hops bring to their owner.
 */
final class FeatureWalk {
  /** The device is in a state that is not known here. */
  static final class UnknownStateException extends Exception {
    private static final long serialVersionUID = 1L;

    UnknownStateException(int number) {
      super("the migration state " + number + ", which this agent does not know");
    }
  }

  /** No way leads there. */
  static final class NoWayException extends Exception {
    private static final long serialVersionUID = 1L;

    NoWayException(String message) {
      super(message);
    }
  }

  /** A hop brought no data file where one begins, or one where none does. */
  static final class FileRuleException extends Exception {
    private static final long serialVersionUID = 1L;

    FileRuleException(String message) {
      super(message);
    }
  }

  private final FeatureAccess access;
  private final Set<MigrationFlag> flags;
  private final StateControl control;
  private final DataFile file;

  FeatureWalk(FeatureAccess access, Set<MigrationFlag> flags, DataFile file) {
    this.access = access;
    this.flags = flags;
    this.control = new StateControl(access);
    this.file = file;
  }

  /** Asks the device where it is. */
  FeatureState position() throws AccessException, UnknownStateException {
    int number = control.get();
    FeatureState found = FeatureState.of(number);
    if (found == null) {
      throw new UnknownStateException(number);
    }
    return found;
  }

  /**
   * Leads the device from where it is.
   *
   * @throws AccessException with the hop that failed; the hops before it were taken
   */
  void to(FeatureState from, FeatureState wanted)
      throws AccessException, NoWayException, FileRuleException {
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
  }

  private void take(FeatureState at, FeatureState hop) throws AccessException, FileRuleException {
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
        throw new FileRuleException("it gave no data file from " + at + " to " + hop);
      }
      file.begin(access.stateFile(descriptor));
    } else if (!goesOn) {
      file.close();
    }
  }
}
