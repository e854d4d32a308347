package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.session.SessionWatcher;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.LongSupplier;

/**
 * What every session looks like, for any number of watchers. A change of state, failure or device
 * state is reported at once, mere progress at most once in a while. A watcher that is slow gets the
 * latest of each session once it asks, and never holds a session up. Safe for use by several
 * threads.
 */
public final class SessionFeed implements SessionWatcher {

  /**
   * A session as it was reported.
   *
   * @param session what it looked like
   * @param revision rises with every report on this session
   * @param pausedNanos for how long its workload has been paused, or is being paused, at this end
   *     when the report is taken, as far as this process saw it; else 0
   */
  public record Report(SessionSnapshot session, long revision, long pausedNanos) {
    /** Of a session whose workload is not paused at this end. */
    Report(SessionSnapshot session, long revision) {
      this(session, revision, 0);
    }
  }

  private static final Set<SessionState> PAUSED =
      EnumSet.of(SessionState.SOURCE_STOPNCOPY, SessionState.SOURCE_AWAITING_DECISION);

  /** One watcher's place in the feed. */
  public final class Subscription implements AutoCloseable {
    private final Runnable wake;
    private final Set<SessionKey> news;

    private Subscription(Runnable wake, Set<SessionKey> news) {
      this.wake = wake;
      this.news = news;
    }

    /** The next session of which there is news, as it is now; null where there is none. */
    public Report next() {
      synchronized (SessionFeed.this) {
        var keys = news.iterator();
        while (keys.hasNext()) {
          SessionKey key = keys.next();
          keys.remove();
          Entry entry = entries.get(key);
          if (entry != null) {
            return asOfNow(entry);
          }
        }
        return null;
      }
    }

    @Override
    public void close() {
      synchronized (SessionFeed.this) {
        subscriptions.remove(this);
      }
    }
  }

  private static final class Entry {
    private Report reported;
    private long reportedAt;
    private SessionSnapshot withheld;
    private OptionalLong pausedSince = OptionalLong.empty();
  }

  private final Duration interval;
  private final LongSupplier nanoTime;
  private final BiConsumer<Duration, Runnable> later;
  // All guarded by this.
  private final Map<SessionKey, Entry> entries = new LinkedHashMap<>();
  private final Set<Subscription> subscriptions = new LinkedHashSet<>();

  /**
   * @param interval between two reports of mere progress on one session
   * @param nanoTime monotonic nanoseconds
   * @param later runs a task after a time
   */
  public SessionFeed(
      Duration interval, LongSupplier nanoTime, BiConsumer<Duration, Runnable> later) {
    this.interval = interval;
    this.nanoTime = nanoTime;
    this.later = later;
  }

  /**
   * Begins with every session there is.
   *
   * @param wake called when there is news, on any thread; must not block
   */
  public synchronized Subscription subscribe(Runnable wake) {
    Subscription subscription = new Subscription(wake, new LinkedHashSet<>(entries.keySet()));
    subscriptions.add(subscription);
    return subscription;
  }

  /** How many watch now. */
  synchronized int watchers() {
    return subscriptions.size();
  }

  /** The last report on that session, null where there is none. */
  public synchronized Report latest(SessionKey key) {
    Entry entry = entries.get(key);
    return entry == null ? null : asOfNow(entry);
  }

  private Report asOfNow(Entry entry) {
    Report report = entry.reported;
    return entry.pausedSince.isEmpty()
        ? report
        : new Report(
            report.session(),
            report.revision(),
            nanoTime.getAsLong() - entry.pausedSince.getAsLong());
  }

  /**
   * What an answer to a command says of a session: the last report as a whole, because a revision
   * must never stand beside an older look; or the given one where nothing was reported.
   */
  public Report answer(SessionSnapshot session) {
    Report latest = latest(session.key());
    return latest == null ? new Report(session, 0) : latest;
  }

  @Override
  public void changed(SessionSnapshot before, SessionSnapshot now) {
    wake(take(now));
  }

  private synchronized List<Subscription> take(SessionSnapshot now) {
    Entry entry = entries.computeIfAbsent(now.key(), unused -> new Entry());
    long time = nanoTime.getAsLong();
    if (!PAUSED.contains(now.state())) {
      entry.pausedSince = OptionalLong.empty();
    } else if (entry.pausedSince.isEmpty()) {
      entry.pausedSince = OptionalLong.of(time);
    }
    if (entry.reported == null || matters(entry.reported.session(), now)) {
      return report(entry, now, time);
    }
    long since = time - entry.reportedAt;
    if (since >= interval.toNanos()) {
      return report(entry, now, time);
    }
    if (entry.withheld == null) {
      later.accept(Duration.ofNanos(interval.toNanos() - since), () -> release(now.key()));
    }
    entry.withheld = now;
    return List.of();
  }

  private static boolean matters(SessionSnapshot reported, SessionSnapshot now) {
    return reported.state() != now.state()
        || reported.deviceState() != now.deviceState()
        || reported.progress().precopyExhausted() != now.progress().precopyExhausted()
        || !Objects.equals(reported.failure(), now.failure());
  }

  private List<Subscription> report(Entry entry, SessionSnapshot now, long time) {
    long revision = entry.reported == null ? 1 : entry.reported.revision() + 1;
    entry.reported = new Report(now, revision);
    entry.reportedAt = time;
    entry.withheld = null;
    subscriptions.forEach(subscription -> subscription.news.add(now.key()));
    return new ArrayList<>(subscriptions);
  }

  private void release(SessionKey key) {
    List<Subscription> awake = List.of();
    synchronized (this) {
      Entry entry = entries.get(key);
      if (entry != null && entry.withheld != null) {
        awake = report(entry, entry.withheld, nanoTime.getAsLong());
      }
    }
    wake(awake);
  }

  private static void wake(List<Subscription> awake) {
    awake.forEach(subscription -> subscription.wake.run());
  }

  @Override
  public synchronized void removed(SessionKey key) {
    entries.remove(key);
  }

  @Override
  public void fault(SessionKey key, String doing, RuntimeException fault) {
    // Not a change of the session.
  }
}
