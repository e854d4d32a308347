package dev.vfio.migration.agent.session;

import static org.assertj.core.api.Assertions.assertThat;

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
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A repeated StartSource is answered with the session there is. */
class RepeatedStartTest {
  private static final SourceSpec SPEC =
      new SourceSpec(
          new SessionKey("move", 1),
          "default/move",
          "vfio-user:gpu-0",
          "b",
          "host",
          9444,
          Mode.LIVE,
          1,
          0,
          0,
          List.of());

  private Sessions sessions;

  @BeforeEach
  void start() throws IOException {
    sessions =
        new Sessions(
            new SessionEnvironment(
                null, null, null, null, new Still(), name -> new Asleep(), Timings.USUAL, 0),
            new NoJournals(),
            new Fencing(new Numbers()),
            new Sessions.Limits(4, 4, Duration.ofDays(1)),
            new Nobody());
  }

  private CompletableFuture<SessionSnapshot> startWithoutTicket() {
    return sessions.startSource(
        1,
        SPEC.key(),
        () -> {
          throw new Refusal(Reason.INVALID_REQUEST, "destination_port is 0");
        },
        new byte[0]);
  }

  /** Whoever has lost the port and the token must not roll a healthy source back. */
  @Test
  void aSourceThatIsUnderWayDoesNotAskForPortAndTokenAgain() {
    assertThat(sessions.startSource(1, SPEC, new byte[32])).isNotCompletedExceptionally();
    assertThat(startWithoutTicket()).isNotCompletedExceptionally();
    assertThat(sessions.snapshots()).hasSize(1);
  }

  @Test
  void aSourceThatIsNotThereNeedsThem() {
    assertThat(startWithoutTicket()).isCompletedExceptionally();
    assertThat(sessions.snapshots()).isEmpty();
  }

  private static final class Still implements SessionClock {
    @Override
    public long nanoTime() {
      return 1;
    }

    @Override
    public long epochNanos() {
      return 1;
    }
  }

  /** Takes everything and does nothing of it. */
  private static final class Asleep implements SessionThread {
    @Override
    public void execute(Runnable task) {
      // Asleep.
    }

    @Override
    public Timer schedule(Duration delay, Runnable task) {
      return () -> {};
    }

    @Override
    public void waitBeside(Runnable waiting) {
      // Asleep.
    }

    @Override
    public void await(CompletableFuture<?> answer) {
      throw new UnsupportedOperationException();
    }
  }

  private static final class NoJournals implements SessionJournals {
    @Override
    public SessionJournal create(SessionKey key, Role role) {
      return new SessionJournal() {
        @Override
        public void append(SessionRecord record) {
          throw new AssertionError("the session's thread is asleep");
        }

        @Override
        public void close() {
          // Nothing is open.
        }
      };
    }

    @Override
    public List<Found> recover() {
      return List.of();
    }

    @Override
    public void setAside(Found found, String why) {
      throw new AssertionError("no journal is damaged here");
    }

    @Override
    public void remove(SessionKey key) {
      // Nothing is kept.
    }
  }

  private static final class Numbers implements FencingStore {
    private long number;

    @Override
    public long read() {
      return number;
    }

    @Override
    public void write(long highest) {
      number = highest;
    }
  }

  private static final class Nobody implements SessionWatcher {
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
}
