package dev.vfio.migration.agent.session;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import dev.vfio.migration.agent.journal.FencingStore;
import dev.vfio.migration.agent.journal.SessionJournal;
import dev.vfio.migration.agent.journal.SessionJournals;
import dev.vfio.migration.agent.machine.Mode;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.machine.Role;
import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionRecord;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SourceSpec;
import dev.vfio.migration.agent.machine.Timings;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What one command waits for on the disk keeps no other command waiting. */
@Timeout(120)
class SlowDiskTest {
  private static final long LEADER = 6;
  private static final SessionKey ENDED = new SessionKey("ended", 1);
  private static final SessionKey NONE = new SessionKey("none", 1);

  private final CountDownLatch writing = new CountDownLatch(1);
  private final CountDownLatch disk = new CountDownLatch(1);
  private final AtomicLong time = new AtomicLong();

  @AfterEach
  void letGo() {
    disk.countDown();
  }

  private void hang() {
    writing.countDown();
    try {
      assertThat(disk.await(100, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  /** One session that ended is in the journals, and to remove it takes long. */
  private final class Journals implements SessionJournals {
    @Override
    public SessionJournal create(SessionKey key, Role role) {
      throw new AssertionError("no session begins here");
    }

    @Override
    public List<Found> recover() {
      SourceSpec spec =
          new SourceSpec(
              ENDED, "default/ended", "a", "node-b", "host", 1, Mode.LIVE, 1, 0, 0, List.of());
      return List.of(
          new Found(
              ENDED,
              Role.SOURCE,
              List.of(new SessionRecord.SourceStarted(spec), new SessionRecord.Completed()),
              null,
              new Whole()));
    }

    @Override
    public void setAside(Found found, String why) {
      throw new AssertionError("no journal is damaged here");
    }

    @Override
    public void remove(SessionKey key) {
      hang();
    }
  }

  /** Of a session that ended. */
  private static final class Whole implements SessionJournal {
    @Override
    public void append(SessionRecord record) {
      throw new AssertionError("nothing follows an end");
    }

    @Override
    public void close() {
      // Nothing is open.
    }
  }

  /** Takes long for every number but that of the leader there is. */
  private final class Numbers implements FencingStore {
    @Override
    public long read() {
      return LEADER;
    }

    @Override
    public void write(long number) {
      hang();
    }
  }

  private static final class Unwatched implements SessionWatcher {
    @Override
    public void changed(SessionSnapshot before, SessionSnapshot now) {
      // Nobody looks.
    }

    @Override
    public void removed(SessionKey key) {
      // Nobody looks.
    }

    @Override
    public void fault(SessionKey key, String doing, RuntimeException fault) {
      throw fault;
    }
  }

  private Sessions sessions() throws IOException {
    SessionClock clock =
        new SessionClock() {
          @Override
          public long nanoTime() {
            return time.get();
          }

          @Override
          public long epochNanos() {
            return time.get();
          }
        };
    return new Sessions(
        new SessionEnvironment(null, null, null, null, clock, name -> null, Timings.USUAL, 1),
        new Journals(),
        new Fencing(new Numbers()),
        new Sessions.Limits(16, 100, Duration.ofHours(1)),
        new Unwatched());
  }

  /** On a thread of its own: the common pool may have one thread, and these wait for each other. */
  private static <T> CompletableFuture<T> supply(Supplier<T> supplier) {
    return CompletableFuture.supplyAsync(supplier, task -> new Thread(task).start());
  }

  private void assertAnswered(Sessions sessions) throws Exception {
    assertThat(writing.await(60, TimeUnit.SECONDS)).isTrue();
    CompletableFuture<Throwable> answer =
        supply(() -> catchThrowable(() -> sessions.rollBack(LEADER, NONE, "why").get()));
    assertThat(answer.get(60, TimeUnit.SECONDS)).hasMessageContaining("knows no session none/1");
    assertThat(supply(sessions::highestFencingNumber).get(60, TimeUnit.SECONDS)).isEqualTo(LEADER);
  }

  @Test
  void aNumberThatIsBeingMadeDurableKeepsTheLeaderThereIsFromNothing() throws Exception {
    Sessions sessions = sessions();
    CompletableFuture<Throwable> next =
        supply(() -> catchThrowable(() -> sessions.rollBack(LEADER + 1, NONE, "why").get()));
    assertAnswered(sessions);
    disk.countDown();
    assertThat(next.get(60, TimeUnit.SECONDS)).hasMessageContaining("knows no session none/1");
    assertThat(catchThrowable(() -> sessions.rollBack(LEADER, NONE, "why").get()))
        .hasMessageContaining("another operator leads now");
  }

  @Test
  void aJournalThatIsBeingRemovedKeepsNoCommandWaiting() throws Exception {
    Sessions sessions = sessions();
    sessions.recover();
    time.addAndGet(Duration.ofHours(2).toNanos());
    CompletableFuture<Throwable> beginning =
        supply(
            () ->
                catchThrowable(
                    () ->
                        sessions
                            .startSource(
                                LEADER,
                                NONE,
                                () -> {
                                  throw new Refusal(Reason.INVALID_REQUEST, "no sense");
                                },
                                new byte[0])
                            .get()));
    assertAnswered(sessions);
    assertThat(sessions.snapshots()).as("it is there until its journal is removed").hasSize(1);
    disk.countDown();
    assertThat(beginning.get(60, TimeUnit.SECONDS)).hasMessageContaining("no sense");
    assertThat(sessions.snapshots()).isEmpty();
  }
}
