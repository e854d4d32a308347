package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.Greeting.Welcome;
import io.micrometer.core.instrument.Metrics;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * One stream of a source, over as many connections as it takes.
 *
 * <p>Until the destination lets one in: a destination that is flooded drops those that it does not
 * know yet, and cannot distinguish ours from the flood's. And after one that was let in was lost,
 * where both ends know how to go on: then what the destination has not received is sent again. Only
 * a connection that ended is made again; a refusal is an answer, and so is an end that says that it
 * closes. Thread-safe.
 */
final class OutgoingStream implements SourceConnection.Listener {
  private static final Logger LOG = Logger.getLogger(OutgoingStream.class);
  private static final long FIRST_DELAY_MILLIS = 100;
  private static final long MAX_DELAY_MILLIS = 1000;

  /** A workload may stand still meanwhile. */
  private static final long FIRST_DELAY_AFTER_LOSS_MILLIS = 20;

  private static final long MAX_DELAY_AFTER_LOSS_MILLIS = 320;

  /** Whom the stream is for. */
  interface Owner {
    void failed(StreamException why);

    void loaded(byte[] digest);
  }

  /** Makes its connections. */
  interface Connections {
    /**
     * @param key what WELCOME gave; null for the first one
     */
    SourceConnection make(SourceConnection.Listener listener, byte[] key);

    /** Begins to connect what was made. */
    void begin(SourceConnection made);
  }

  /**
   * How long it is tried, from the first failure on.
   *
   * @param opening until the first connection was let in
   * @param running after a loss, while the workload runs
   * @param paused after a loss, while it stands still
   */
  record Limits(Duration opening, Duration running, Duration paused) {}

  private final String description;
  private final Connections connections;
  private final Owner owner;
  private final BiConsumer<Runnable, Duration> later;
  private final LongSupplier monotonicNanos;
  private final Limits limits;
  private final SendWindow window;
  private final CompletableFuture<Void> welcomed = new CompletableFuture<>();

  // Guarded by this; neither owner nor connections are called with it.
  private SourceConnection current;
  private byte[] key;
  private boolean over;
  private boolean loaded;
  private boolean paused;
  private int tries;
  private StreamException first;

  /** Since when it is tried; of a loss, since the last connection that brought it on. */
  private long since;

  private boolean lost;
  private long resumedAt;
  private long takenAtResume = -1;

  /**
   * @param description of the stream, for people
   * @param owner hears of the last failure only
   * @param later runs a task after a time
   */
  OutgoingStream(
      String description,
      Connections connections,
      Owner owner,
      BiConsumer<Runnable, Duration> later,
      LongSupplier monotonicNanos,
      Limits limits,
      SendWindow window) {
    this.description = description;
    this.connections = connections;
    this.owner = owner;
    this.later = later;
    this.monotonicNanos = monotonicNanos;
    this.limits = limits;
    this.window = window;
  }

  void begin() {
    synchronized (this) {
      since = monotonicNanos.getAsLong();
    }
    open();
  }

  private void open() {
    SourceConnection made;
    synchronized (this) {
      if (over) {
        return;
      }
      tries++;
      made = connections.make(this, key);
      current = made;
    }
    connections.begin(made);
  }

  /** Completes once the destination has let a connection in; fails with a StreamException. */
  CompletableFuture<Void> welcomed() {
    return welcomed;
  }

  SendWindow window() {
    return window;
  }

  /** The workload stands still from here on: a loss may take less time. */
  void paused() {
    synchronized (this) {
      paused = true;
      if (!lost || over) {
        return;
      }
    }
    watchLimit();
  }

  /** LOADED was heard: nothing is left that a lost connection would have to bring. */
  void stopWatching() {
    SourceConnection open;
    synchronized (this) {
      loaded = true;
      open = current;
    }
    open.stopWatching();
  }

  void close() {
    SourceConnection open;
    synchronized (this) {
      over = true;
      open = current;
    }
    // Nothing else informs whoever waits for it, where it is between two tries.
    welcomed.completeExceptionally(SendRing.closedHere());
    if (open != null) {
      open.close();
    }
    window.close();
  }

  @Override
  public void welcomed(SourceConnection connection, Welcome welcome) throws StreamException {
    synchronized (this) {
      if (over || connection != current) {
        return;
      }
      if (!lost) {
        key = welcome.key();
        window.open(connection.writer(), welcome.version());
        resumedAt = monotonicNanos.getAsLong();
      } else {
        goOn(connection, welcome);
      }
    }
    welcomed.complete(null);
  }

  private void goOn(SourceConnection connection, Welcome welcome) throws StreamException {
    SendWindow.Again again = window.resume(connection.writer(), welcome.next());
    long now = monotonicNanos.getAsLong();
    LOG.infof(
        "%s: connected again after %s ms (try %s), %s; from frame %s on %s frames with %s bytes"
            + " were sent again. It had been lost: %s",
        description,
        TimeUnit.NANOSECONDS.toMillis(now - since),
        tries,
        paused ? "the workload stands still" : "the workload runs",
        welcome.next(),
        again.frames(),
        again.bytes(),
        first.getMessage());
    Metrics.counter("vfio.migration.stream.reconnects", "end", "source").increment();
    lost = false;
    resumedAt = now;
    takenAtResume = window.taken();
  }

  @Override
  public void lost(SourceConnection connection, StreamException why) {
    synchronized (this) {
      if (over || connection != current) {
        return;
      }
      window.lost(connection.writer());
      if (!loaded) {
        long now = monotonicNanos.getAsLong();
        // A connection that brought nothing on and did not last is one more try of the same loss.
        boolean brought =
            window.taken() > takenAtResume || now - resumedAt > limits.running().toNanos();
        if (brought || first == null) {
          since = now;
          tries = 0;
          first = why;
        }
        lost = true;
      }
    }
    if (!isLost()) {
      owner.failed(why);
      return;
    }
    LOG.infof("%s; it is connected again", why.getMessage());
    watchLimit();
    again(why, FIRST_DELAY_AFTER_LOSS_MILLIS, MAX_DELAY_AFTER_LOSS_MILLIS);
  }

  private synchronized boolean isLost() {
    return lost;
  }

  /** Wherever a try hangs, it ends with the limit. */
  private void watchLimit() {
    Duration left;
    synchronized (this) {
      left = limit().minusNanos(monotonicNanos.getAsLong() - since);
    }
    runLater(this::limitEnds, left.isNegative() ? Duration.ZERO : left.plusMillis(1));
  }

  private void limitEnds() {
    SourceConnection stuck;
    synchronized (this) {
      if (over || !lost || spentNanos() < limit().toNanos()) {
        return;
      }
      over = true;
      stuck = current;
    }
    stuck.abort();
    owner.failed(
        new StreamException(
            Kind.BROKEN,
            String.format(
                "%s; it could not be connected again within %s ms (%s tries)",
                first.getMessage(), limit().toMillis(), tries),
            first));
  }

  private synchronized long spentNanos() {
    return monotonicNanos.getAsLong() - since;
  }

  private synchronized Duration limit() {
    if (!lost) {
      return limits.opening();
    }
    return paused ? limits.paused() : limits.running();
  }

  @Override
  public void dropped(SourceConnection connection, StreamException why) {
    boolean after;
    synchronized (this) {
      if (connection != current) {
        return;
      }
      after = lost;
      if (first == null) {
        first = why;
        LOG.infof("%s; it is tried again", why.getMessage());
      }
    }
    again(
        why,
        after ? FIRST_DELAY_AFTER_LOSS_MILLIS : FIRST_DELAY_MILLIS,
        after ? MAX_DELAY_AFTER_LOSS_MILLIS : MAX_DELAY_MILLIS);
  }

  private void again(StreamException why, long firstMillis, long mostMillis) {
    long delay = Math.min(mostMillis, firstMillis << Math.min(tries(), 20)) / 2;
    // All streams of a migration were dropped together; they need not come back together.
    delay += ThreadLocalRandom.current().nextLong(delay);
    boolean unwanted;
    synchronized (this) {
      unwanted = over;
    }
    if (unwanted || spentNanos() + TimeUnit.MILLISECONDS.toNanos(delay) >= limit().toNanos()) {
      // After a loss the limit itself says so.
      if (!isLost()) {
        fail(why);
      }
      return;
    }
    runLater(this::open, Duration.ofMillis(delay));
  }

  private synchronized int tries() {
    return tries;
  }

  private void runLater(Runnable task, Duration delay) {
    try {
      later.accept(task, delay);
    } catch (RejectedExecutionException ended) {
      fail(SendRing.closedHere());
    }
  }

  @Override
  public void failed(SourceConnection connection, StreamException why) {
    synchronized (this) {
      if (connection != current) {
        return;
      }
    }
    fail(why);
  }

  private void fail(StreamException why) {
    StreamException failure;
    synchronized (this) {
      over = true;
      if (first == null || first == why || (!lost && resumedAt != 0)) {
        failure = why;
      } else if (lost) {
        failure =
            new StreamException(
                Kind.BROKEN,
                String.format(
                    "%s; when it was connected again: %s", first.getMessage(), why.getMessage()),
                why);
      } else {
        failure =
            new StreamException(
                why.kind(),
                String.format(
                    "%s (try %s; at the first one: %s)",
                    why.getMessage(), tries, first.getMessage()),
                why);
      }
    }
    welcomed.completeExceptionally(failure);
    owner.failed(failure);
  }

  @Override
  public void loaded(byte[] digest) {
    owner.loaded(digest);
  }
}
