package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.util.Objects;

/**
 * One entry of a session's journal: a point of no return that must be on disk before the session
 * acts on it. The order of entries within one session is the order below.
 */
public sealed interface SessionRecord {

  /** Whether nothing follows this entry. */
  default boolean terminal() {
    return false;
  }

  /**
   * Either end: entries stood here that cannot be read any more. Whatever could have been recorded
   * behind the entries before this may have been, and may have been acted on.
   *
   * @param damage what is wrong with the journal
   */
  record EntriesLost(String damage) implements SessionRecord {}

  /** Source: the device may be touched from here on. First entry. */
  record SourceStarted(SourceSpec spec) implements SessionRecord {
    public SourceStarted {
      Objects.requireNonNull(spec, "spec");
    }
  }

  /**
   * Source: the workload may be paused from here on.
   *
   * @param epochNanos wall-clock time
   */
  record SwitchingOver(long epochNanos) implements SessionRecord {}

  /**
   * Source: the end mark may be sent from here on, so the destination may become the owner; only
   * the decision leads out.
   */
  record EndAllowed(Progress progress) implements SessionRecord {
    public EndAllowed {
      Objects.requireNonNull(progress, "progress");
    }
  }

  /** Source: the decision is Committed; the device never runs here again. */
  record Committed() implements SessionRecord {}

  /**
   * Source: SAVE_COMPLETED, workload released, device reset and let go of.
   *
   * @param notReset why the device may still hold what its workload had in it; null where it does
   *     not, and in entries of before it was reset
   */
  record Completed(Failure notReset) implements SessionRecord {
    public Completed() {
      this(null);
    }

    @Override
    public boolean terminal() {
      return true;
    }
  }

  /**
   * Source: on its way back to running.
   *
   * @param cancelled through CANCELLED instead of FAILED
   * @param failure null where a user cancelled
   */
  record RollingBack(boolean cancelled, Failure failure) implements SessionRecord {}

  /**
   * Source: let go of, and rolled back as far as there was something to be rolled back.
   *
   * @param device the state in which it was last seen; null where it was not seen, and in entries
   *     of before that was written
   */
  record RolledBack(Failure failure, Progress progress, DeviceState device)
      implements SessionRecord {
    public RolledBack(Failure failure, Progress progress) {
      this(failure, progress, null);
    }

    @Override
    public boolean terminal() {
      return true;
    }
  }

  /** Destination: the device may be touched from here on. First entry. */
  record Prepared(DestinationSpec spec) implements SessionRecord {
    public Prepared {
      Objects.requireNonNull(spec, "spec");
    }
  }

  /**
   * Destination: the device holds everything; from here on only the decision leads out.
   *
   * @param pausedAtEpochNanos wall-clock time of the pause at the source, by this node's clock; 0
   *     where no mark was heard
   */
  record Loaded(long pausedAtEpochNanos, Progress progress) implements SessionRecord {
    public Loaded {
      Objects.requireNonNull(progress, "progress");
    }
  }

  /** Destination: the decision is Committed; the device may run from here on. */
  record Activating() implements SessionRecord {}

  /**
   * Destination: the decision is Committed, and the device was found to have lost what it had taken
   * in. It is not activated again, whatever state it is in by then.
   */
  record StateLost(Failure failure) implements SessionRecord {}

  /** Destination: runs here. */
  record Active(Progress progress) implements SessionRecord {
    @Override
    public boolean terminal() {
      return true;
    }
  }

  /** Destination: the restored state may be gone from here on. */
  record Discarding(Failure failure) implements SessionRecord {}

  /**
   * Destination: the restored state is gone.
   *
   * @param notReset why the device could not be reset; null where it was, or need not be
   */
  record Discarded(Failure failure, Failure notReset) implements SessionRecord {
    @Override
    public boolean terminal() {
      return true;
    }
  }
}
