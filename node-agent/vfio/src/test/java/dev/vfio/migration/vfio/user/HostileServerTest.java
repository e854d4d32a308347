package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.linux.LeakCheck;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** A server that breaks the rules, stalls or dies costs a clear error and nothing else. */
@Timeout(120)
class HostileServerTest {
  private static final ServerTimeouts LONG =
      new ServerTimeouts(Duration.ofMinutes(5), Duration.ofMinutes(5));
  private static final ServerTimeouts SHORT =
      new ServerTimeouts(Duration.ofMinutes(5), Duration.ofSeconds(1));

  @RegisterExtension final LeakCheck leaks = new LeakCheck(() -> this.folder);
  @TempDir Path folder;
  private ScriptedServer server;

  @BeforeEach
  void start() throws IOException {
    server = new ScriptedServer(folder.resolve("gpu-0.sock"), 4096);
  }

  @AfterEach
  void stop() throws IOException {
    server.close();
  }

  private VfioUserAccess connect(ServerTimeouts timeouts) throws IOException {
    return ScriptedServer.access(folder.resolve("gpu-0.sock"), timeouts);
  }

  private static ByteBuffer register() {
    return ByteBuffer.allocateDirect(8).order(ByteOrder.nativeOrder());
  }

  private static AccessException failureOf(ThrowingCallable action) {
    return catchThrowableOfType(AccessException.class, action);
  }

  /** A broken conversation is not continued. */
  private static void assertGivenUp(VfioUserAccess access, AccessException failure) {
    AccessException later = failureOf(() -> access.readRegion(9, 0, register()));
    assertThat(later.reason()).isEqualTo(Reason.UNREACHABLE);
    assertThat(later).hasMessageContainingAll("given up", failure.getMessage());
  }

  /** Only for what a device has at hand: a change of state may take long. */
  @Test
  void aQuestionIsNotWaitedForAsLongAsWork() throws IOException {
    server.on(ScriptedServer.REGION_READ, (request, client) -> {});
    ServerTimeouts quick = new ServerTimeouts(Duration.ofSeconds(1), Duration.ofMinutes(5));
    try (VfioUserAccess access = connect(quick)) {
      AccessException failure = failureOf(() -> access.askRegion(9, 0, register()));
      assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
      assertThat(failure).hasMessageContaining("within 1000 ms");
      assertGivenUp(access, failure);
    }
  }

  private void assertViolation(ScriptedServer.Answer answer, String words) throws IOException {
    server.on(ScriptedServer.REGION_READ, answer);
    try (VfioUserAccess access = connect(LONG)) {
      AccessException failure = failureOf(() -> access.readRegion(9, 36, register()));
      assertThat(failure.reason()).isEqualTo(Reason.VIOLATION);
      assertThat(failure)
          .hasMessageContainingAll("gpu-0.sock broke the vfio-user protocol at REGION_READ", words);
      assertGivenUp(access, failure);
    }
  }

  /** The right reply with some bytes of it changed. */
  private ScriptedServer.Answer changed(int at, int value) {
    return (request, client) -> {
      byte[] reply = server.reply(request);
      ByteBuffer.wrap(reply).order(ByteOrder.nativeOrder()).putInt(at, value);
      client.write(reply);
    };
  }

  @Test
  void aReplyToAnotherMessageIsAViolation() throws IOException {
    assertViolation(changed(0, 0x0009_7777), "it answered message 30583");
  }

  @Test
  void aReplyToAnotherCommandIsAViolation() throws IOException {
    assertViolation(
        (request, client) ->
            client.write(ScriptedServer.message(request.id(), 10, 1, 0, new byte[24])),
        "with command 10");
  }

  @Test
  void aCommandInsteadOfAReplyIsAViolation() throws IOException {
    assertViolation(
        (request, client) ->
            client.write(ScriptedServer.message(request.id(), 11, 0, 0, new byte[16])),
        "no reply");
  }

  @Test
  void aReplyLargerThanWasAskedForIsAViolation() throws IOException {
    assertViolation(changed(4, 41), "has 41 bytes; at most 40 are allowed");
    assertViolation(changed(4, -1), "has 4294967295 bytes; at most 40 are allowed");
  }

  @Test
  void aReplySmallerThanItsFixedPartIsAViolation() throws IOException {
    assertViolation(
        (request, client) ->
            client.write(ScriptedServer.message(request.id(), 9, 1, 0, new byte[15])),
        "has only 31 bytes");
    assertViolation(changed(4, 15), "has 15 bytes");
  }

  @Test
  void moreBytesThanTheReplySaysAreAViolation() throws IOException {
    assertViolation(changed(4, 36), "more than the 36 bytes");
  }

  @Test
  void anErrorWithAPayloadIsAViolation() throws IOException {
    assertViolation(
        (request, client) ->
            client.write(ScriptedServer.message(request.id(), 9, 0x21, 5, new byte[8])),
        "error reply has 24 bytes");
  }

  @Test
  void aReplyAboutAnotherPlaceOrCountIsAViolation() throws IOException {
    assertViolation(changed(16, 44), "its reply is about 8 bytes at 44 of region 9");
    assertViolation(changed(24, 7), "of region 7");
    assertViolation(changed(28, 9), "is about 9 bytes");
    assertViolation(changed(28, 7), "counts 7 bytes and carries another number");
  }

  @Test
  void aServerThatDoesNotAnswerInTimeIsGivenUp() throws IOException {
    server.on(ScriptedServer.REGION_WRITE, (request, client) -> {});
    try (VfioUserAccess access = connect(SHORT)) {
      AccessException failure = failureOf(() -> access.writeRegion(9, 0, register()));
      assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
      assertThat(failure.errno()).as("ETIMEDOUT").isEqualTo(110);
      assertThat(failure).hasMessageContaining("did not answer REGION_WRITE within 1000 ms");
      assertGivenUp(access, failure);
    }
  }

  @Test
  void aServerThatTricklesForEverIsGivenUpInTime() throws IOException {
    CountDownLatch ended = new CountDownLatch(1);
    server.on(
        ScriptedServer.REGION_READ,
        (request, client) -> {
          byte[] reply = server.reply(request);
          try {
            for (byte one : reply) {
              client.write(new byte[] {one});
              ended.await(100, TimeUnit.MILLISECONDS);
            }
          } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
          }
        });
    try (VfioUserAccess access = connect(SHORT)) {
      AccessException failure = failureOf(() -> access.readRegion(9, 0, register()));
      ended.countDown();
      assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
      assertThat(failure).hasMessageContaining("within 1000 ms");
    }
  }

  @Test
  void aServerThatDoesNotReadIsNotWaitedForForEver() throws IOException {
    CountDownLatch over = new CountDownLatch(1);
    server.on(ScriptedServer.REGION_WRITE, (request, client) -> {});
    server.on(
        ScriptedServer.GET_REGION_INFO,
        (request, client) -> {
          client.write(server.reply(request));
          try {
            assertThat(over.await(60, TimeUnit.SECONDS)).isTrue();
          } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
          }
        });
    try (VfioUserAccess access = connect(SHORT)) {
      access.regionInfo(9);
      ByteBuffer large = ByteBuffer.allocateDirect(1 << 20);
      AccessException failure = failureOf(() -> access.writeRegion(9, 76, large));
      assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
      assertThat(failure.errno()).isEqualTo(110);
    } finally {
      over.countDown();
    }
  }

  @Test
  void aServerThatDiesIsGivenUp() throws IOException {
    server.on(ScriptedServer.REGION_READ, (request, client) -> client.shutdown());
    try (VfioUserAccess access = connect(LONG)) {
      AccessException failure = failureOf(() -> access.readRegion(9, 0, register()));
      assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
      assertGivenUp(access, failure);
    }
  }

  @Test
  void aServerThatDiesInTheMiddleOfAReplyIsUnreachable() throws IOException {
    server.on(
        ScriptedServer.REGION_READ,
        (request, client) -> {
          client.write(java.util.Arrays.copyOf(server.reply(request), 35));
          client.shutdown();
        });
    try (VfioUserAccess access = connect(LONG)) {
      AccessException failure = failureOf(() -> access.readRegion(9, 0, register()));
      assertThat(failure.reason()).isEqualTo(Reason.UNREACHABLE);
      assertThat(failure)
          .hasMessageContaining("closed the connection instead of answering REGION_READ");
    }
  }

  @Test
  void closingFromAnotherThreadEndsAWait() throws IOException, InterruptedException {
    CountDownLatch asked = new CountDownLatch(1);
    server.on(ScriptedServer.REGION_READ, (request, client) -> asked.countDown());
    VfioUserAccess access = connect(LONG);
    AtomicReference<AccessException> seen = new AtomicReference<>();
    Thread waiting =
        new Thread(() -> seen.set(failureOf(() -> access.readRegion(9, 0, register()))));
    waiting.start();
    assertThat(asked.await(60, TimeUnit.SECONDS)).isTrue();
    access.close();
    waiting.join(TimeUnit.SECONDS.toMillis(60));
    assertThat(seen.get()).isNotNull();
    assertThat(seen.get().reason()).isEqualTo(Reason.UNREACHABLE);
  }

  @Test
  void capabilitiesThatAreNoneAreAViolation() {
    for (String json :
        new String[] {
          "{\"capabilities\":",
          "[".repeat(8000),
          "{\"capabilities\":{\"max_data_xfer_size\":7}}",
          "{\"capabilities\":{\"max_data_xfer_size\":-1}}",
          "{\"capabilities\":{\"max_data_xfer_size\":\"1\"}}",
          "{\"capabilities\":{\"max_data_xfer_size\":1e300}}"
        }) {
      server.versionJson(json);
      AccessException failure = failureOf(() -> connect(LONG));
      assertThat(failure.reason()).as(json).isEqualTo(Reason.VIOLATION);
      assertThat(failure).hasMessageContaining("at VERSION");
    }
  }

  @Test
  void capabilitiesWithoutEndAreAViolation() {
    server.versionJson("{\"capabilities\":{\"a\":\"" + "x".repeat(20000) + "\"}}");
    AccessException failure = failureOf(() -> connect(LONG));
    assertThat(failure.reason()).isEqualTo(Reason.VIOLATION);
    assertThat(failure).hasMessageContaining("at most 16404 are allowed");
  }

  @Test
  void aVersionThatWasNotOfferedIsAViolation() {
    server.on(
        ScriptedServer.VERSION,
        (request, client) -> {
          byte[] reply = server.reply(request);
          reply[16 + 2] = 2;
          client.write(reply);
        });
    AccessException failure = failureOf(() -> connect(LONG));
    assertThat(failure.reason()).isEqualTo(Reason.VIOLATION);
    assertThat(failure).hasMessageContaining("it answered version 0.2 to the offer of 0.1");
  }

  @Test
  void hugeNumbersFromTheServerAreBounded() throws IOException {
    server.versionJson("{\"capabilities\":{\"max_data_xfer_size\":9223372036854775807}}");
    try (VfioUserAccess access = connect(LONG)) {
      assertThat(access.readRegion(9, 0, register())).isEqualTo(8);
    }
  }
}
