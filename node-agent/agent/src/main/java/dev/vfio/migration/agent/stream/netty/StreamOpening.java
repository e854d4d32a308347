package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.BiConsumer;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jboss.logging.Logger;

/**
 * One stream of a source, over as many connections as it takes until the destination lets one in: a
 * destination that is flooded drops those that it does not know yet, and cannot distinguish ours
 * from the flood's. Only what may have been dropped is tried again; a refusal is an answer. Nothing
 * but the greeting has been sent by then. Thread-safe.
 */
final class StreamOpening implements SourceConnection.Listener {
  private static final Logger LOG = Logger.getLogger(StreamOpening.class);
  private static final long FIRST_DELAY_MILLIS = 100;
  private static final long MAX_DELAY_MILLIS = 1000;

  private final Function<SourceConnection.Listener, SourceConnection> opened;
  private final SourceConnection.Listener sender;
  private final BiConsumer<Runnable, Duration> later;
  private final LongSupplier monotonicNanos;
  private final long limitNanos;
  private final CompletableFuture<Void> welcomed = new CompletableFuture<>();
  private long begunAt;
  private volatile SourceConnection current;
  private volatile boolean unwanted;
  // One connection after the other changes these, each in its event loop.
  private int tries;
  private StreamException first;

  /**
   * @param opened begins to open a connection that tells this listener
   * @param sender whom the stream is for: hears of the last failure only
   * @param later runs a task after a time
   * @param limit from the first try on, after which no other one begins
   */
  StreamOpening(
      Function<SourceConnection.Listener, SourceConnection> opened,
      SourceConnection.Listener sender,
      BiConsumer<Runnable, Duration> later,
      LongSupplier monotonicNanos,
      Duration limit) {
    this.opened = opened;
    this.sender = sender;
    this.later = later;
    this.monotonicNanos = monotonicNanos;
    this.limitNanos = limit.toNanos();
  }

  void begin() {
    begunAt = monotonicNanos.getAsLong();
    open();
  }

  private void open() {
    if (unwanted) {
      return;
    }
    tries++;
    current = opened.apply(this);
    if (unwanted) {
      current.close();
    }
  }

  /** Completes once the destination has let a connection in; fails with a StreamException. */
  CompletableFuture<Void> welcomed() {
    return welcomed;
  }

  /** Of the connection that was let in. */
  FrameWriter writer() {
    return current.writer();
  }

  void stopWatching() {
    current.stopWatching();
  }

  void close() {
    unwanted = true;
    // Nothing else informs whoever waits for it, where it is between two tries.
    welcomed.completeExceptionally(SendRing.closedHere());
    SourceConnection open = current;
    if (open != null) {
      open.close();
    }
  }

  @Override
  public void welcomed(SourceConnection connection) {
    current = connection;
    welcomed.complete(null);
  }

  @Override
  public void dropped(StreamException why) {
    long delay =
        Math.min(MAX_DELAY_MILLIS, FIRST_DELAY_MILLIS << Math.min(tries, Integer.SIZE)) / 2;
    // All streams of a migration were dropped together; they need not come back together.
    delay += ThreadLocalRandom.current().nextLong(delay);
    long spent = monotonicNanos.getAsLong() - begunAt;
    if (unwanted || spent + TimeUnit.MILLISECONDS.toNanos(delay) >= limitNanos) {
      failed(why);
      return;
    }
    if (first == null) {
      first = why;
      LOG.infof("%s; it is tried again", why.getMessage());
    }
    try {
      later.accept(this::open, Duration.ofMillis(delay));
    } catch (RejectedExecutionException ended) {
      failed(why);
    }
  }

  @Override
  public void failed(StreamException why) {
    StreamException failure =
        first == null
            ? why
            : new StreamException(
                why.kind(),
                String.format(
                    "%s (try %s; at the first one: %s)",
                    why.getMessage(), tries, first.getMessage()),
                why);
    welcomed.completeExceptionally(failure);
    sender.failed(failure);
  }

  @Override
  public void loaded(byte[] digest) {
    sender.loaded(digest);
  }
}
