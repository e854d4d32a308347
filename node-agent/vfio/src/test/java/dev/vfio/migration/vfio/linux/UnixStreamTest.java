package dev.vfio.migration.vfio.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Peers that take what they are sent slowly or never, on real sockets. */
class UnixStreamTest {
  private static final int BULK_BYTES = 64 << 20;
  private static final Duration TIMEOUT = Duration.ofMillis(500);

  @TempDir private Path directory;
  private ServerSocketChannel listener;
  private UnixStream stream;
  private SocketChannel peer;
  private final CountDownLatch ended = new CountDownLatch(1);

  @BeforeEach
  void connect() throws IOException {
    Path socket = directory.resolve("s");
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket));
    stream = UnixStream.connect(socket, TIMEOUT);
    peer = listener.accept();
  }

  @AfterEach
  void close() throws IOException {
    ended.countDown();
    stream.close();
    peer.close();
    listener.close();
  }

  private CompletableFuture<Throwable> sending(ByteBuffer data) {
    return CompletableFuture.supplyAsync(
        () -> catchThrowable(() -> stream.send(ByteBuffer.allocateDirect(0), data)));
  }

  private void takeSlowly() {
    Thread taking =
        new Thread(
            () -> {
              ByteBuffer some = ByteBuffer.allocate(64 << 10);
              try {
                // Always before the kernel's own timeout of one part.
                while (!ended.await(TIMEOUT.toMillis() / 5, TimeUnit.MILLISECONDS)
                    && peer.read(some.clear()) >= 0) {
                  // Goes on.
                }
              } catch (IOException | InterruptedException over) {
                // The test has ended.
              }
            },
            "slow-peer");
    taking.setDaemon(true);
    taking.start();
  }

  @Test
  void aPeerThatTakesALittleNowAndThenIsGivenUpInTime() throws Exception {
    takeSlowly();
    ByteBuffer data = ByteBuffer.allocateDirect(BULK_BYTES);
    Throwable failure = sending(data).get(40, TimeUnit.SECONDS);
    assertThat(failure)
        .isInstanceOfSatisfying(
            ErrnoException.class, late -> assertThat(late.is(Errno.EAGAIN)).isTrue());
    assertThat(data.position()).as("what it took").isPositive();
  }

  @Test
  void aPeerThatTakesNothingIsGivenUpInTime() throws Exception {
    assertThat(sending(ByteBuffer.allocateDirect(BULK_BYTES)).get(40, TimeUnit.SECONDS))
        .isInstanceOfSatisfying(
            ErrnoException.class, late -> assertThat(late.is(Errno.EAGAIN)).isTrue());
  }

  @Test
  void aPeerThatClosesMeanwhileIsAFailure() throws Exception {
    stream.timeout(Duration.ofSeconds(100));
    CompletableFuture<Throwable> sending = sending(ByteBuffer.allocateDirect(BULK_BYTES));
    ByteBuffer some = ByteBuffer.allocate(1);
    assertThat(peer.read(some)).isEqualTo(1);
    peer.close();
    assertThat(sending.get(40, TimeUnit.SECONDS))
        .isInstanceOfSatisfying(
            ErrnoException.class, closed -> assertThat(closed.is(Errno.EPIPE)).isTrue());
  }

  @Test
  void whoeverClosesItEndsASendThatWaits() throws Exception {
    stream.timeout(Duration.ofSeconds(100));
    CompletableFuture<Throwable> sending = sending(ByteBuffer.allocateDirect(BULK_BYTES));
    assertThat(peer.read(ByteBuffer.allocate(1))).isEqualTo(1);
    stream.close();
    assertThat(sending.get(40, TimeUnit.SECONDS)).isInstanceOf(ErrnoException.class);
  }

  @Test
  void bulkDataArrivesWhole() throws Exception {
    stream.timeout(Duration.ofSeconds(100));
    ByteBuffer data = ByteBuffer.allocateDirect(BULK_BYTES);
    for (int at = 0; at < BULK_BYTES; at += 4096) {
      data.putInt(at, at);
    }
    CompletableFuture<Throwable> sending = sending(data.duplicate());
    ByteBuffer taken = ByteBuffer.allocate(BULK_BYTES);
    while (taken.hasRemaining()) {
      assertThat(peer.read(taken)).isPositive();
    }
    assertThat(sending.get(40, TimeUnit.SECONDS)).isNull();
    assertThat(taken.flip()).isEqualTo(data);
  }
}
