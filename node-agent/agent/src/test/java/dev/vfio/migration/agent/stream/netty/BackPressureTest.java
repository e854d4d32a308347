package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.ChunkBuffer;
import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamSettings;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** A slow sink slows the sender, and memory stays within what was agreed. */
@Timeout(120)
class BackPressureTest {
  private static final int CHUNKS = 1000;

  @TempDir Path work;

  private final Semaphore permits = new Semaphore(0);
  private final AtomicInteger delivered = new AtomicInteger();
  private final AtomicInteger sent = new AtomicInteger();

  private final RecordingSink slow =
      new RecordingSink() {
        @Override
        public void deviceState(ByteBuffer chunk) {
          permits.acquireUninterruptibly();
          delivered.incrementAndGet();
        }
      };

  @Test
  void aSlowSinkHoldsTheSenderBack() throws Exception {
    // Sockets of a known size, so that what the kernel holds is bounded, too.
    StreamSettings settings = settings(64 * 1024);
    try (TwoNodes nodes = new TwoNodes(work, settings);
        Awaited awaited = nodes.await(1, slow);
        StateSender sender = nodes.connect(awaited, 1)) {
      AtomicLong failures = new AtomicLong();
      Thread device = new Thread(() -> sendAll(sender, failures));
      device.start();
      await()
          .atMost(TwoNodes.TIMEOUT)
          .until(() -> device.getState() == Thread.State.WAITING && sent.get() > 0);
      // In the ring, in flight, and at the destination: no more than these can be on their way.
      int kernelAndTls = (2 * 2 * 64 * 1024 + 1024 * 1024) / TwoNodes.CHUNK;
      int bound = settings.sendBuffers() + settings.receiveBuffers() + kernelAndTls;
      for (int step = 0; step < 20; step++) {
        assertThat(sent.get() - delivered.get()).isLessThanOrEqualTo(bound);
        int before = delivered.get();
        permits.release(10);
        await().atMost(TwoNodes.TIMEOUT).until(() -> delivered.get() == before + 10);
      }
      assertThat(sent.get()).isLessThan(CHUNKS);
      permits.release(CHUNKS);
      device.join(TwoNodes.TIMEOUT.toMillis());
      assertThat(device.isAlive()).isFalse();
      assertThat(failures).hasValue(0);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      assertThat(sender.sentBytes()).isEqualTo((long) CHUNKS * TwoNodes.CHUNK);
      assertThat(delivered).hasValue(CHUNKS);
    }
  }

  @Test
  void buffersAreTheSameFewForAllMigrations() throws Exception {
    permits.release(Integer.MAX_VALUE);
    Set<Integer> buffers = ConcurrentHashMap.newKeySet();
    try (TwoNodes nodes = new TwoNodes(work)) {
      for (int migration = 0; migration < 5; migration++) {
        try (Awaited awaited = nodes.await(1, slow);
            StateSender sender = nodes.connect(awaited, 1)) {
          for (int number = 0; number < 100; number++) {
            ChunkBuffer chunk = sender.acquire();
            buffers.add(System.identityHashCode(chunk.bytes()));
            chunk.bytes().position(1000);
            sender.deviceState(chunk);
          }
          sender.end();
          sender.awaitLoaded(TwoNodes.TIMEOUT);
        }
      }
    }
    assertThat(buffers)
        .hasSizeLessThanOrEqualTo(StreamSettings.defaults().sendWindowFor(TwoNodes.CHUNK));
  }

  private void sendAll(StateSender sender, AtomicLong failures) {
    try {
      for (int number = 0; number < CHUNKS; number++) {
        ChunkBuffer chunk = sender.acquire();
        chunk.bytes().position(TwoNodes.CHUNK);
        sender.deviceState(chunk);
        sent.incrementAndGet();
      }
    } catch (StreamException | InterruptedException unexpected) {
      failures.incrementAndGet();
    }
  }

  private static StreamSettings settings(int socketBytes) {
    StreamSettings quick = TwoNodes.quick();
    return new StreamSettings(
        quick.maximumChunkBytes(),
        quick.sendBuffers(),
        quick.receiveBuffers(),
        quick.maximumStreams(),
        quick.connectTimeout(),
        quick.handshakeTimeout(),
        quick.helloTimeout(),
        quick.idleTimeout(),
        quick.closeTimeout(),
        quick.resumeTime(),
        quick.pausedResumeTime(),
        socketBytes,
        socketBytes,
        quick.eventLoops());
  }
}
