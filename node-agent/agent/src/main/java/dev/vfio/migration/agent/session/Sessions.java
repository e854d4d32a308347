package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.journal.SessionJournals;
import dev.vfio.migration.agent.machine.DestinationMachine;
import dev.vfio.migration.agent.machine.DestinationSpec;
import dev.vfio.migration.agent.machine.Moment;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SourceMachine;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.WindowCheck;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * All sessions of this agent: who may begin, who holds which device, and who is remembered. Safe
 * for use by several threads; no method waits for a session. Nothing is read or written under the
 * lock, but for {@link #recover()}: a disk that is slow for one command or one session keeps no
 * other command waiting.
 */
public final class Sessions {

  /**
   * How much this agent takes on and remembers.
   *
   * @param live sessions under way at once
   * @param remembered sessions that ended and are still remembered
   * @param rememberedFor how long they are
   */
  public record Limits(int live, int remembered, Duration rememberedFor) {}

  private final SessionEnvironment environment;
  private final SessionJournals journals;
  private final Fencing fencing;
  private final Limits limits;
  private final SessionWatcher watcher;
  // Guarded by this. In the order in which they began.
  private final Map<SessionKey, LiveSession> sessions = new LinkedHashMap<>();
  // Guarded by this. When they ended, in that order.
  private final Map<SessionKey, Long> ended = new LinkedHashMap<>();

  public Sessions(
      SessionEnvironment environment,
      SessionJournals journals,
      Fencing fencing,
      Limits limits,
      SessionWatcher watcher) {
    this.environment = environment;
    this.journals = journals;
    this.fencing = fencing;
    this.limits = limits;
    this.watcher = new Bookkeeping(watcher);
  }

  // ------------------------------------------------------------------ commands

  /** Answers with the session once it is journalled; a repeated command with the one there is. */
  public CompletableFuture<DestinationSession.Prepared> prepareDestination(
      long fencingNumber, DestinationSpec spec) {
    removeOld();
    return guarded(
        fencingNumber,
        () -> {
          LiveSession known = sessions.get(spec.key());
          if (known == null) {
            requireFree(spec.key(), spec.device());
            DestinationSession fresh =
                DestinationSession.fresh(
                    spec,
                    journals.create(spec.key(), Role.DESTINATION),
                    environment,
                    watcher,
                    () -> forget(spec.key()));
            sessions.put(spec.key(), fresh);
            known = fresh;
          }
          return asDestination(known, DestinationSession::prepare);
        });
  }

  /** What a new session is to do; refuses what makes no sense. */
  @FunctionalInterface
  public interface Asked {
    SourceSpec spec() throws Refusal;
  }

  /** As below, of what was looked at before. */
  public CompletableFuture<SessionSnapshot> startSource(
      long fencingNumber, SourceSpec spec, byte[] token) {
    return startSource(fencingNumber, spec.key(), () -> spec, token);
  }

  /**
   * Answers with the session once it is journalled; a repeated command with the one there is,
   * whatever else it says: who repeats it may not know where the destination listened.
   */
  public CompletableFuture<SessionSnapshot> startSource(
      long fencingNumber, SessionKey key, Asked asked, byte[] token) {
    removeOld();
    return guarded(
        fencingNumber,
        () -> {
          LiveSession known = sessions.get(key);
          if (known == null) {
            SourceSpec spec = asked.spec();
            requireFree(spec.key(), spec.device());
            SourceSession fresh =
                SourceSession.fresh(
                    spec,
                    token,
                    journals.create(spec.key(), Role.SOURCE),
                    environment,
                    watcher,
                    () -> forget(spec.key()));
            sessions.put(spec.key(), fresh);
            known = fresh;
          }
          return asSource(known, SourceSession::start);
        });
  }

  public CompletableFuture<SessionSnapshot> switchOver(long fencingNumber, SessionKey key) {
    return guarded(fencingNumber, () -> asSource(require(key), SourceSession::switchOver));
  }

  public CompletableFuture<SessionSnapshot> commit(long fencingNumber, SessionKey key) {
    return guarded(fencingNumber, () -> asSource(require(key), SourceSession::commit));
  }

  public CompletableFuture<SessionSnapshot> activate(long fencingNumber, SessionKey key) {
    return guarded(fencingNumber, () -> asDestination(require(key), DestinationSession::activate));
  }

  /** Answers with the session once the look that this asks for has found what is loaded. */
  public CompletableFuture<SessionSnapshot> verifyLoaded(long fencingNumber, SessionKey key) {
    return guarded(
        fencingNumber, () -> asDestination(require(key), DestinationSession::verifyLoaded));
  }

  /** After Committed: gives up what its workload was never told to take. */
  public CompletableFuture<SessionSnapshot> giveUp(
      long fencingNumber, SessionKey key, String reason) {
    return guarded(
        fencingNumber, () -> asDestination(require(key), session -> session.giveUp(reason)));
  }

  public CompletableFuture<SessionSnapshot> rollBack(
      long fencingNumber, SessionKey key, String reason) {
    return guarded(fencingNumber, () -> require(key).rollBack(false, reason));
  }

  public CompletableFuture<SessionSnapshot> cancel(long fencingNumber, SessionKey key) {
    return guarded(fencingNumber, () -> require(key).rollBack(true, "cancelled"));
  }

  // ------------------------------------------------------------------ what there is

  /** The session that holds the device, null where none does. */
  public synchronized LiveSession holderOf(String device) {
    for (LiveSession session : sessions.values()) {
      SessionSnapshot snapshot = session.snapshot();
      if (!snapshot.state().terminal() && snapshot.device().equals(device)) {
        return session;
      }
    }
    return null;
  }

  /**
   * Why a device could not be moved with the windows that its workload declares; null where nothing
   * stands against them. A source would refuse them, and by then its destination was prepared.
   *
   * @param pageSize of the device, bytes
   */
  public String windowProblem(List<DmaWindow> windows, int pageSize) {
    return WindowCheck.problem(
        NumberedWindows.specs(NumberedWindows.of(windows)), pageSize, environment.maxWindowBytes());
  }

  /** Every session, in the order in which they began. */
  public synchronized List<SessionSnapshot> snapshots() {
    return sessions.values().stream().map(LiveSession::snapshot).toList();
  }

  public long highestFencingNumber() {
    return fencing.highest();
  }

  // ------------------------------------------------------------------ start and end of the agent

  /**
   * Goes on with what the journals hold.
   *
   * @throws IOException where the journals cannot be read at all; the agent must not serve then
   */
  public synchronized void recover() throws IOException {
    Moment now = environment.clock().now();
    ActingJournals journalsFound = ActingJournals.of(journals.recover());
    journalsFound.over().forEach(this::setAside);
    for (SessionJournals.Found found : journalsFound.acting()) {
      LiveSession session = recovered(found, now);
      sessions.put(found.key(), session);
      SessionSnapshot snapshot = session.snapshot();
      if (snapshot.state().terminal() || session instanceof DamagedSession) {
        watcher.changed(null, snapshot);
      } else {
        session.recover();
      }
    }
  }

  private void setAside(SessionJournals.Found found) {
    try {
      journals.setAside(
          found,
          "Its session had ended: another one that goes on has the device "
              + ActingJournals.device(found)
              + " since.");
    } catch (IOException problem) {
      // The next start finds it again, and does nothing for it either.
      watcher.fault(found.key(), "setting its journal aside", new UncheckedIOException(problem));
    }
  }

  private LiveSession recovered(SessionJournals.Found found, Moment now) {
    if (found.journal() == null) {
      return new DamagedSession(found);
    }
    try {
      return switch (found.role()) {
        case SOURCE ->
            SourceSession.recovered(
                SourceMachine.recovered(found.records(), now),
                found.journal(),
                environment,
                watcher);
        case DESTINATION ->
            DestinationSession.recovered(
                DestinationMachine.recovered(found.records(), now),
                found.journal(),
                environment,
                watcher);
      };
    } catch (IllegalArgumentException impossible) {
      return new DamagedSession(
          new SessionJournals.Found(
              found.key(), found.role(), found.records(), impossible.getMessage(), null));
    }
  }

  /** The agent is about to end: asks every session to undo what may be undone. */
  public void stop() {
    for (LiveSession session : all()) {
      session.stop();
    }
  }

  /**
   * Waits until every session ended or waits for somebody's word.
   *
   * @return whether that came about in time
   */
  public synchronized boolean awaitSettled(Duration timeout) throws InterruptedException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (!sessions.values().stream().allMatch(LiveSession::settled)) {
      long left = TimeUnit.NANOSECONDS.toMillis(deadline - System.nanoTime());
      if (left <= 0) {
        return false;
      }
      wait(left);
    }
    return true;
  }

  private synchronized List<LiveSession> all() {
    return new ArrayList<>(sessions.values());
  }

  // ------------------------------------------------------------------ rules

  /** A command's work under our lock. */
  @FunctionalInterface
  private interface Guarded<T> {
    CompletableFuture<T> run() throws Refusal;
  }

  private <T> CompletableFuture<T> guarded(long fencingNumber, Guarded<T> work) {
    try {
      fencing.admit(fencingNumber);
      synchronized (this) {
        // Again: under this lock no command of a deposed leader follows one of the new leader.
        fencing.check(fencingNumber);
        return work.run();
      }
    } catch (Refusal refusal) {
      return CompletableFuture.failedFuture(refusal);
    }
  }

  private LiveSession require(SessionKey key) throws Refusal {
    LiveSession session = sessions.get(key);
    if (session == null) {
      throw new Refusal(
          Reason.UNKNOWN_SESSION,
          "this agent knows no session " + key + "; it never began here or ended long ago");
    }
    return session;
  }

  private void requireFree(SessionKey key, String device) throws Refusal {
    int live = 0;
    for (LiveSession other : sessions.values()) {
      SessionSnapshot snapshot = other.snapshot();
      boolean terminal = snapshot.state().terminal();
      live += terminal ? 0 : 1;
      boolean sameMigration = snapshot.key().uid().equals(key.uid());
      if (sameMigration && snapshot.key().attempt() > key.attempt()) {
        throw new Refusal(
            Reason.INVALID_REQUEST,
            String.format(
                "attempt %s is over: this agent knows %s already", key.attempt(), snapshot.key()));
      }
      if (!terminal && (sameMigration || snapshot.device().equals(device))) {
        throw new Refusal(
            Reason.DEVICE_BUSY,
            String.format(
                "the device %s is held by the session %s of %s (%s); nothing was done. It is free"
                    + " once that session has ended.",
                snapshot.device(), snapshot.key(), snapshot.migrationName(), snapshot.state()));
      }
    }
    if (live >= limits.live()) {
      throw new Refusal(
          Reason.NO_CAPACITY,
          live + " sessions are under way on this node and that is the limit; try again later");
    }
  }

  private static <T> CompletableFuture<T> asSource(
      LiveSession session, Function<SourceSession, CompletableFuture<T>> command) throws Refusal {
    if (session instanceof SourceSession source) {
      return command.apply(source);
    }
    throw otherwise(session, Role.SOURCE);
  }

  private static <T> CompletableFuture<T> asDestination(
      LiveSession session, Function<DestinationSession, CompletableFuture<T>> command)
      throws Refusal {
    if (session instanceof DestinationSession destination) {
      return command.apply(destination);
    }
    throw otherwise(session, Role.DESTINATION);
  }

  private static Refusal otherwise(LiveSession session, Role wanted) {
    return session instanceof DamagedSession
        ? new Refusal(session.snapshot().failure())
        : new Refusal(
            Reason.INVALID_REQUEST,
            String.format(
                "the session %s is the %s on this node, and this command is for a %s; source and"
                    + " destination are on different nodes",
                session.key(), session.role(), wanted));
  }

  // ------------------------------------------------------------------ remembering

  private synchronized void forget(SessionKey key) {
    sessions.remove(key);
  }

  private void noted(SessionSnapshot now) {
    synchronized (this) {
      if (now.state().terminal()) {
        ended.put(now.key(), environment.clock().nanoTime());
      }
      notifyAll();
    }
    if (now.state().terminal()) {
      removeOld();
    }
  }

  /** For threads that no command in a pause waits for. */
  private void removeOld() {
    takeOld()
        .forEach(
            (key, endedAt) -> {
              try {
                journals.remove(key);
                forget(key);
                watcher.removed(key);
              } catch (IOException problem) {
                // It stays and is tried again with the next one.
                synchronized (this) {
                  ended.put(key, endedAt);
                }
                watcher.fault(key, "removing its journal", new UncheckedIOException(problem));
              }
            });
  }

  /** Whoever takes a session that ended long ago removes it, and nobody else does. */
  private synchronized Map<SessionKey, Long> takeOld() {
    long oldest = environment.clock().nanoTime() - limits.rememberedFor().toNanos();
    Map<SessionKey, Long> old = new LinkedHashMap<>();
    int over = ended.size() - limits.remembered();
    for (Map.Entry<SessionKey, Long> entry : ended.entrySet()) {
      if (over-- > 0 || entry.getValue() - oldest < 0) {
        old.put(entry.getKey(), entry.getValue());
      }
    }
    ended.keySet().removeAll(old.keySet());
    return old;
  }

  /** Notes which sessions ended, and passes everything on. */
  private final class Bookkeeping implements SessionWatcher {
    private final SessionWatcher next;

    Bookkeeping(SessionWatcher next) {
      this.next = next;
    }

    @Override
    public void changed(SessionSnapshot before, SessionSnapshot now) {
      next.changed(before, now);
      noted(now);
    }

    @Override
    public void takes(Object state, Object event) {
      next.takes(state, event);
    }

    @Override
    public void removed(SessionKey key) {
      next.removed(key);
    }

    @Override
    public void fault(SessionKey key, String doing, RuntimeException fault) {
      next.fault(key, doing, fault);
    }
  }
}
