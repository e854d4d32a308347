package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The bandwidth limit counts over all streams, on the clock that was handed in. */
@Timeout(120)
class BandwidthTest {
  private static final long SECOND = 1_000_000_000L;

  @TempDir Path work;

  private final AtomicLong clock = new AtomicLong();
  private final RecordingSink sink = new RecordingSink().window(0, 64 * TwoNodes.CHUNK);

  @Test
  void asMuchGoesOutAsTheClockAllowsAndAllOnceItIsLifted() throws Exception {
    int chunks = 12;
    try (TwoNodes nodes = new TwoNodes(work, TwoNodes.quick(), TwoNodes.quick(), clock::get);
        Awaited awaited = nodes.await(3, sink);
        StateSender sender =
            nodes.source.connect(nodes.to(awaited.token(), 3, 10L * TwoNodes.CHUNK))) {
      AtomicInteger sent = new AtomicInteger();
      CompletableFuture<Void> sending = new CompletableFuture<>();
      Thread device =
          new Thread(
              () -> {
                try {
                  for (int number = 0; number < chunks; number++) {
                    ChunkBuffer chunk = sender.acquire();
                    chunk.bytes().position(TwoNodes.CHUNK);
                    sender.memory(chunk, 0, (long) number * TwoNodes.CHUNK);
                    sent.incrementAndGet();
                  }
                  sending.complete(null);
                } catch (StreamException | InterruptedException unexpected) {
                  sending.completeExceptionally(unexpected);
                }
              });
      device.start();
      // One on credit; then one for each tenth of a second.
      for (int expected = 1; expected <= 5; expected++) {
        int now = expected;
        await().atMost(TwoNodes.TIMEOUT).until(() -> sent.get() == now && waits(device));
        assertThat(sending).isNotDone();
        clock.addAndGet(SECOND / 10);
      }
      sender.liftBandwidthLimit();
      sending.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      assertThat(sender.sentBytes()).isEqualTo((long) chunks * TwoNodes.CHUNK);
    }
  }

  private static boolean waits(Thread thread) {
    return thread.getState() == Thread.State.TIMED_WAITING
        || thread.getState() == Thread.State.WAITING;
  }
}
