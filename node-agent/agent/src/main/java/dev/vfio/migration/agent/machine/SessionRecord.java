package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.DeviceState;
import java.util.Objects;

/**
 * One entry of a session's journal: a point of no return that must be on disk before the session
 * acts on it. The order of entries within one session is the order below.
 */
public sealed interface SessionRecord {

  /** Whose journals an entry stands in. */
  interface Handler<T> {
    T on(EntriesLost entry);

    T on(OfSource entry);

    T on(OfDestination entry);
  }

  <T> T dispatch(Handler<T> handler);

  /** Whether nothing follows this entry. */
  default boolean terminal() {
    return false;
  }

  /** Stands in the journal of a source. */
  sealed interface OfSource extends SessionRecord {

    /** Names every entry of a source. */
    interface Handler<T> {
      T on(SourceStarted entry);

      T on(SwitchingOver entry);

      T on(EndAllowed entry);

      T on(Committed entry);

      T on(Completed entry);

      T on(RollingBack entry);

      T on(RolledBack entry);
    }

    <T> T handle(OfSource.Handler<T> handler);

    @Override
    default <T> T dispatch(SessionRecord.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Stands in the journal of a destination. */
  sealed interface OfDestination extends SessionRecord {

    /** Names every entry of a destination. */
    interface Handler<T> {
      T on(Prepared entry);

      T on(Loaded entry);

      T on(Activating entry);

      T on(StateLost entry);

      T on(Active entry);

      T on(Discarding entry);

      T on(Discarded entry);
    }

    <T> T handle(OfDestination.Handler<T> handler);

    @Override
    default <T> T dispatch(SessionRecord.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Either end: entries stood here that cannot be read any more. Whatever could have been recorded
   * behind the entries before this may have been, and may have been acted on.
   *
   * @param damage what is wrong with the journal
   */
  record EntriesLost(String damage) implements SessionRecord {
    @Override
    public <T> T dispatch(SessionRecord.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Source: the device may be touched from here on. First entry. */
  record SourceStarted(SourceSpec spec) implements OfSource {
    public SourceStarted {
      Objects.requireNonNull(spec, "spec");
    }

    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Source: the workload may be paused from here on.
   *
   * @param epochNanos wall-clock time
   */
  record SwitchingOver(long epochNanos) implements OfSource {
    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Source: the end mark may be sent from here on, so the destination may become the owner; only
   * the decision leads out.
   */
  record EndAllowed(Progress progress) implements OfSource {
    public EndAllowed {
      Objects.requireNonNull(progress, "progress");
    }

    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Source: the decision is Committed; the device never runs here again. */
  record Committed() implements OfSource {
    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Source: SAVE_COMPLETED, workload released, device reset and closed.
   *
   * @param notReset why the device may still hold what its workload had in it; null where it does
   *     not, and in entries of before it was reset
   */
  record Completed(Failure notReset) implements OfSource {
    public Completed() {
      this(null);
    }

    @Override
    public boolean terminal() {
      return true;
    }

    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Source: on its way back to running.
   *
   * @param cancelled through CANCELLED instead of FAILED
   * @param failure null where a user cancelled
   */
  record RollingBack(boolean cancelled, Failure failure) implements OfSource {
    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Source: the device is closed, and rolled back as far as it had been moved.
   *
   * @param device the state in which it was last seen; null where it was not seen, and in entries
   *     of before that was written
   */
  record RolledBack(Failure failure, Progress progress, DeviceState device) implements OfSource {
    public RolledBack(Failure failure, Progress progress) {
      this(failure, progress, null);
    }

    @Override
    public boolean terminal() {
      return true;
    }

    @Override
    public <T> T handle(OfSource.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Destination: the device may be touched from here on. First entry. */
  record Prepared(DestinationSpec spec) implements OfDestination {
    public Prepared {
      Objects.requireNonNull(spec, "spec");
    }

    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Destination: the device holds everything; from here on only the decision leads out.
   *
   * @param pausedAtEpochNanos wall-clock time of the pause at the source, by this node's clock; 0
   *     where no mark was heard
   */
  record Loaded(long pausedAtEpochNanos, Progress progress) implements OfDestination {
    public Loaded {
      Objects.requireNonNull(progress, "progress");
    }

    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Destination: the decision is Committed; the device may run from here on. */
  record Activating() implements OfDestination {
    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Destination: the decision is Committed, and the device was found to have lost what it had taken
   * in. It is not activated again, whatever state it is in by then.
   *
   * @param neverTaken whether its workload was certainly never told to take it; null, which is no,
   *     in entries of before that was written
   */
  record StateLost(Failure failure, Boolean neverTaken) implements OfDestination {
    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Destination: runs here. */
  record Active(Progress progress) implements OfDestination {
    @Override
    public boolean terminal() {
      return true;
    }

    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /** Destination: the restored state may be discarded from here on. */
  record Discarding(Failure failure) implements OfDestination {
    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }

  /**
   * Destination: the restored state is discarded.
   *
   * @param notReset why the device could not be reset; null where it was, or need not be
   */
  record Discarded(Failure failure, Failure notReset) implements OfDestination {
    @Override
    public boolean terminal() {
      return true;
    }

    @Override
    public <T> T handle(OfDestination.Handler<T> handler) {
      return handler.on(this);
    }
  }
}
