package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Either end may close at any time: whoever waits wakes, and the other end learns why. */
@Timeout(120)
class StreamClosingTest {
  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink().window(0, 64 * TwoNodes.CHUNK);

  @Test
  void closingTheSourceBreaksTheDestination() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(3, sink);
        StateSender sender = nodes.connect(awaited, 3)) {
      assertThat(sink.started.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
      sender.close();
      sender.close();
      assertThat(sink.broken.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS).getMessage())
          .contains("the source closed the connection before its end mark");
      assertThatThrownBy(sender::acquire).hasMessageContaining("closed at this end");
    }
    assertThat(sink.breaks).hasValue(1);
  }

  @Test
  void closingTheDestinationEndsTheSourceWithTheReason() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work, TwoNodes.patient());
        Awaited awaited = nodes.await(2, sink);
        StateSender sender = nodes.connect(awaited, 2)) {
      CompletableFuture<Void> sending = EndlessSending.by(sender);
      await().atMost(TwoNodes.TIMEOUT).until(() -> sink.deviceStateBytes().length > 0);
      awaited.close();
      awaited.close();
      int held = sink.chunkLengths().size();
      StreamException why = EndlessSending.failureOf(sending);
      assertThat(why.kind()).isEqualTo(Kind.REFUSED);
      assertThat(why.getMessage()).contains("the destination closed the stream");
      assertThat(sink.chunkLengths()).as("nothing is delivered after close").hasSize(held);
    }
    assertThat(sink.breaks).as("its owner closed it and knows").hasValue(0);
  }

  @Test
  void closingFromAnotherThreadWakesWhoeverWaitsForABuffer() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    RecordingSink stuck = stuckUntil(never);
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, stuck);
        StateSender sender = nodes.connect(awaited, 1)) {
      CompletableFuture<Thread> sender1 = new CompletableFuture<>();
      CompletableFuture<Void> sending = EndlessSending.by(sender, sender1);
      Thread blocked = sender1.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS);
      await().atMost(TwoNodes.TIMEOUT).until(() -> blocked.getState() == Thread.State.WAITING);
      sender.close();
      assertThat(EndlessSending.failureOf(sending).getMessage()).contains("closed at this end");
      never.countDown();
    }
  }

  @Test
  void closingFromAnotherThreadWakesWhoeverWaitsForLoaded() throws Exception {
    CountDownLatch never = new CountDownLatch(1);
    RecordingSink stuck =
        new RecordingSink() {
          @Override
          public void complete() {
            EndlessSending.awaitUninterruptibly(never);
          }
        };
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, stuck);
        StateSender sender = nodes.connect(awaited, 1)) {
      sender.end();
      CompletableFuture<Void> waiting =
          CompletableFuture.runAsync(
              () -> {
                try {
                  sender.awaitLoaded(Duration.ofMinutes(10));
                } catch (StreamException | InterruptedException ended) {
                  throw new IllegalStateException(ended);
                }
              });
      sender.close();
      assertThatThrownBy(() -> waiting.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS))
          .hasMessageContaining("closed at this end");
      never.countDown();
    }
  }

  @Test
  void endsMayBeClosedAfterTheNetworkWas() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(2, sink);
        StateSender sender = nodes.connect(awaited, 2)) {
      assertThat(sink.started.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
      nodes.close();
      awaited.close();
      sender.close();
      assertThatThrownBy(sender::acquire).isInstanceOf(StreamException.class);
      assertThatThrownBy(() -> nodes.connect(awaited, 2))
          .isInstanceOfSatisfying(
              StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.BROKEN));
    }
  }

  @Test
  void brokenComesOnlyAfterWhatWasBeingDelivered() throws Exception {
    CountDownLatch working = new CountDownLatch(1);
    CountDownLatch mayReturn = new CountDownLatch(1);
    AtomicBoolean stillWorking = new AtomicBoolean();
    CompletableFuture<Boolean> overlapped = new CompletableFuture<>();
    RecordingSink slow =
        new RecordingSink() {
          @Override
          public void deviceState(ByteBuffer chunk) {
            stillWorking.set(true);
            working.countDown();
            EndlessSending.awaitUninterruptibly(mayReturn);
            stillWorking.set(false);
          }

          @Override
          public void broken(StreamException why) {
            overlapped.complete(stillWorking.get());
          }
        };
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work, TwoNodes.patient());
        Awaited awaited = nodes.await(1, slow);
        StateSender sender = nodes.connect(awaited, 1)) {
      TwoNodes.sendState(sender, new byte[10]);
      assertThat(working.await(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isTrue();
      sender.close();
      log.awaitMatch(".*the state stream broke: .*");
      assertThat(overlapped).isNotDone();
      mayReturn.countDown();
      assertThat(overlapped.get(TwoNodes.TIMEOUT.toSeconds(), TimeUnit.SECONDS)).isFalse();
    }
  }

  private static RecordingSink stuckUntil(CountDownLatch latch) {
    return new RecordingSink() {
      @Override
      public void deviceState(ByteBuffer chunk) {
        EndlessSending.awaitUninterruptibly(latch);
      }
    };
  }
}
