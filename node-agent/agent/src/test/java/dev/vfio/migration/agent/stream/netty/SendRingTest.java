package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.netty.SendRing.Chunk;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Memory of a sender is bounded, and whoever waits for it is woken. */
@Timeout(120)
class SendRingTest {
  private final DirectMemory pool = new DirectMemory(1 << 20);
  private final MemoryBudget.Room room = new MemoryBudget(1 << 20).room("the test");
  private final SendRing ring = new SendRing(pool, 4096, 3, new BandwidthLimit(0, () -> 0), room);

  @Test
  void noMoreBuffersAreGivenThanWereAgreed() throws Exception {
    Set<Integer> memories = new HashSet<>();
    for (int round = 0; round < 10; round++) {
      Chunk first = ring.acquire();
      Chunk second = ring.acquire();
      Chunk third = ring.acquire();
      for (Chunk chunk : new Chunk[] {first, second, third}) {
        assertThat(chunk.bytes().isDirect()).isTrue();
        assertThat(chunk.bytes().capacity()).isEqualTo(4096);
        assertThat(chunk.bytes().position()).isZero();
        chunk.bytes().put((byte) round);
        memories.add(System.identityHashCode(chunk.bytes()));
        chunk.release();
      }
    }
    assertThat(memories).hasSize(3);
  }

  @Test
  void whoeverWaitsGetsTheBufferThatComesBack() throws Exception {
    Chunk first = ring.acquire();
    ring.acquire();
    ring.acquire();
    CompletableFuture<Chunk> waiting = acquireElsewhere();
    assertThat(waiting).isNotDone();
    first.sendIn(2);
    first.partDone();
    assertThat(waiting).isNotDone();
    first.partDone();
    assertThat(waiting.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).bytes())
        .isSameAs(first.bytes());
  }

  @Test
  void theEndWakesWhoeverWaits() throws Exception {
    Chunk held = ring.acquire();
    ring.acquire();
    ring.acquire();
    CompletableFuture<Chunk> waiting = acquireElsewhere();
    ring.end(new StreamException(Kind.CORRUPT, "a reason"));
    assertThatThrownBy(waiting::join)
        .isInstanceOf(CompletionException.class)
        .hasCauseInstanceOf(StreamException.class)
        .hasMessageContaining("a reason");
    assertThatThrownBy(ring::acquire).hasMessage("a reason");
    held.release();
    assertThat(pool.idleBytes()).as("a late buffer is kept for the next migration").isEqualTo(4096);
  }

  @Test
  void aBufferIsGivenAwayOnce() throws Exception {
    Chunk chunk = ring.acquire();
    chunk.release();
    assertThatThrownBy(chunk::release).isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(() -> chunk.sendIn(1)).isInstanceOf(IllegalStateException.class);
  }

  @Test
  void liftingTheLimitWakesWhoeverWaitsForIt() throws Exception {
    SendRing limited = new SendRing(pool, 4096, 3, new BandwidthLimit(1, () -> 0), room);
    limited.acquire().release();
    limited.spend(1L << 40);
    CompletableFuture<Chunk> waiting = new CompletableFuture<>();
    Thread waiter = acquireIn(limited, waiting);
    assertThat(waiting).isNotDone();
    limited.liftLimit();
    assertThat(waiting.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isNotNull();
    waiter.join();
  }

  private CompletableFuture<Chunk> acquireElsewhere() {
    CompletableFuture<Chunk> acquired = new CompletableFuture<>();
    Thread waiter = acquireIn(ring, acquired);
    await().atMost(TwoNodes.TIMEOUT).until(() -> waiter.getState() == Thread.State.WAITING);
    return acquired;
  }

  private static Thread acquireIn(SendRing from, CompletableFuture<Chunk> to) {
    Thread thread =
        new Thread(
            () -> {
              try {
                to.complete(from.acquire());
              } catch (StreamException | InterruptedException failure) {
                to.completeExceptionally(failure);
              }
            });
    thread.setDaemon(true);
    thread.start();
    return thread;
  }
}
