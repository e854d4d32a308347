package dev.vfio.migration.agent.control;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.agent.control.CommandLanes.Lane;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who waits for whom among commands, and when it is reported that none is carried out any more. */
@Timeout(120)
class CommandLanesTest {
  private static final Duration MAX_WAIT = Duration.ofMillis(300);

  private final CountDownLatch stuck = new CountDownLatch(1);
  private final Semaphore hanging = new Semaphore(0);
  private final CommandLanes lanes = new CommandLanes(MAX_WAIT, () -> {});

  @AfterEach
  void close() {
    stuck.countDown();
    lanes.close();
  }

  private void hang() {
    hanging.release();
    try {
      assertThat(stuck.await(100, TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException interrupted) {
      throw new AssertionError(interrupted);
    }
  }

  /** As many as the lane takes, once each of its threads has one. */
  private void fill(Lane lane, int threads) throws InterruptedException {
    for (int thread = 0; thread < threads; thread++) {
      lanes.execute(lane, this::hang);
    }
    assertThat(hanging.tryAcquire(threads, 60, TimeUnit.SECONDS)).isTrue();
    while (true) {
      try {
        lanes.execute(lane, this::hang);
      } catch (RejectedExecutionException full) {
        return;
      }
    }
  }

  private String probe(Lane lane) throws Exception {
    return lanes.probe(lane).get(60, TimeUnit.SECONDS);
  }

  @Test
  void beginningsThatHangKeepNoDecisionWaiting() throws Exception {
    fill(Lane.BEGINNING, 2);
    CompletableFuture<Void> decided = new CompletableFuture<>();
    lanes.execute(Lane.DECIDING, () -> decided.complete(null));
    decided.get(60, TimeUnit.SECONDS);
    assertThat(probe(Lane.DECIDING)).isEmpty();
    assertThat(probe(Lane.BEGINNING)).contains("1024 commands wait for a thread");
  }

  @Test
  void aLaneWhoseThreadsAllHangIsReportedUntilTheyDoNot() throws Exception {
    for (int threads = 0; threads < 4; threads++) {
      lanes.execute(Lane.DECIDING, this::hang);
    }
    for (int asked = 0; asked < 3; asked++) {
      assertThat(probe(Lane.DECIDING)).contains("was not carried out within 300 ms");
    }
    stuck.countDown();
    CompletableFuture<Void> behind = new CompletableFuture<>();
    lanes.execute(Lane.DECIDING, () -> behind.complete(null));
    behind.get(60, TimeUnit.SECONDS);
    assertThat(probe(Lane.DECIDING)).isEmpty();
  }

  /** A machine that is short of memory or threads could not make another one in its place. */
  @Test
  void aCommandThatFailsCostsTheLaneNoThread() throws Exception {
    Set<String> names = ConcurrentHashMap.newKeySet();
    for (int command = 0; command < 16; command++) {
      CompletableFuture<Void> begun = new CompletableFuture<>();
      lanes.execute(
          Lane.DECIDING,
          () -> {
            names.add(Thread.currentThread().getName());
            begun.complete(null);
            throw new OutOfMemoryError("unable to create native thread");
          });
      begun.get(60, TimeUnit.SECONDS);
    }
    assertThat(names)
        .isSubsetOf(
            "command-decides-1", "command-decides-2", "command-decides-3", "command-decides-4");
  }

  @Test
  void aLockThatEveryCommandNeedsIsLookedAtAsWell() throws Exception {
    try (CommandLanes locked = new CommandLanes(MAX_WAIT, this::hang)) {
      assertThat(locked.probe(Lane.DECIDING).get(60, TimeUnit.SECONDS))
          .contains("was not carried out within 300 ms");
      stuck.countDown();
    }
  }
}
