package dev.vfio.migration.vfio.user;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.device.DeviceDirectory.Entry;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceException.Kind;
import dev.vfio.migration.vfio.device.MigratableDevice;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.LeakCheck;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/**
 * A look at a device, and the opening of one, have one limit each, however much there is to ask.
 */
@Timeout(120)
class SlowServerTest {
  private static final Duration LIMIT = Duration.ofMillis(1500);
  private static final Duration SLOW = Duration.ofMillis(500);

  /** What is answered within the limit, and one more for a server that is late itself. */
  private static final int MAX_ANSWERS = 4;

  @RegisterExtension final LeakCheck leaks = new LeakCheck(() -> this.folder);
  @TempDir Path folder;
  private final CountDownLatch over = new CountDownLatch(1);
  private final AtomicInteger answers = new AtomicInteger();
  private ScriptedServer server;

  @BeforeEach
  void start() throws IOException {
    Path device = DeviceFolder.make(folder, "gpu-0");
    server = new ScriptedServer(device.resolve(DeviceSockets.DEVICE), 4096);
  }

  @AfterEach
  void stop() throws IOException {
    over.countDown();
    server.close();
  }

  private VfioUserDirectory directory(Duration toConnect) {
    return new VfioUserDirectory(
        folder, 4096, new ServerTimeouts(toConnect, Duration.ofMinutes(5)));
  }

  private void answersLate() {
    for (int command :
        new int[] {
          ScriptedServer.VERSION,
          ScriptedServer.GET_INFO,
          ScriptedServer.GET_REGION_INFO,
          ScriptedServer.REGION_READ
        }) {
      server.on(
          command,
          (request, client) -> {
            try {
              if (!over.await(SLOW.toMillis(), TimeUnit.MILLISECONDS)) {
                answers.incrementAndGet();
                client.write(server.reply(request));
              }
            } catch (InterruptedException interrupted) {
              throw new AssertionError(interrupted);
            }
          });
    }
  }

  private static void assertOverTheLimit(DeviceException failure) {
    assertThat(failure.kind()).isEqualTo(Kind.UNREACHABLE);
    assertThat(failure.errno()).as("ETIMEDOUT").isEqualTo(110);
    assertThat(failure)
        .hasMessageContainingAll(
            "within 1500 ms, counted from the connection on", "Nothing was done to the device");
  }

  @Test
  void aServerThatAnswersEachOfManyQuestionsJustInTimeIsGivenUpAtTheLimit() {
    server.regions(64);
    answersLate();
    Entry entry = directory(LIMIT).look("vfio-user:gpu-0").orElseThrow();
    assertOverTheLimit(entry.problem());
    assertThat(answers).hasValueLessThanOrEqualTo(MAX_ANSWERS);
  }

  @Test
  void openingHasTheSameLimit() {
    server.regions(64);
    answersLate();
    assertOverTheLimit(
        catchThrowableOfType(
            DeviceException.class, () -> directory(LIMIT).open("vfio-user:gpu-0")));
    assertThat(answers).hasValueLessThanOrEqualTo(MAX_ANSWERS);
  }

  /** Reading the state has the time of a change of state only once the device is open. */
  @Test
  void aStateThatIsNotReadEndsTheLook() {
    server.on(ScriptedServer.REGION_READ, (request, client) -> {});
    assertOverTheLimit(directory(LIMIT).look("vfio-user:gpu-0").orElseThrow().problem());
  }

  @Test
  void aDeviceThatIsOpenHasTheWholeTimeForEachAnswer() throws IOException {
    try (MigratableDevice device = directory(LIMIT).open("vfio-user:gpu-0")) {
      server.on(
          ScriptedServer.REGION_READ,
          (request, client) -> {
            try {
              assertThat(over.await(2 * LIMIT.toMillis(), TimeUnit.MILLISECONDS)).isFalse();
            } catch (InterruptedException interrupted) {
              throw new AssertionError(interrupted);
            }
            client.write(server.reply(request));
          });
      device.pending(1);
    }
  }

  @Test
  void anAbsurdNumberOfRegionsIsRefusedBeforeOneIsAskedFor() {
    server.regions(65);
    DeviceException refusal = directory(LIMIT).look("vfio-user:gpu-0").orElseThrow().problem();
    assertThat(refusal.kind()).isEqualTo(Kind.PROTOCOL_VIOLATION);
    assertThat(refusal).hasMessageContaining("65 regions; at most 64");
    assertThat(server.commands()).containsExactly("command 1", "command 4");
  }

  /** A listing asked first, and its device hangs; the limit is far longer than the test. */
  @Test
  void whoOpensADeviceDoesNotWaitForALookAtIt() throws Exception {
    CountDownLatch looking = new CountDownLatch(1);
    AtomicBoolean hangs = new AtomicBoolean(true);
    server.on(
        ScriptedServer.GET_REGION_INFO,
        (request, client) -> {
          if (hangs.getAndSet(false)) {
            looking.countDown();
          } else {
            writeReply(request, client);
          }
        });
    VfioUserDirectory directory = directory(Duration.ofMinutes(5));
    CompletableFuture<Entry> look =
        CompletableFuture.supplyAsync(() -> directory.look("vfio-user:gpu-0").orElseThrow());
    assertThat(looking.await(60, TimeUnit.SECONDS)).isTrue();
    try (MigratableDevice device = directory.open("vfio-user:gpu-0")) {
      assertThat(look.get(60, TimeUnit.SECONDS).description())
          .as("what the look comes to: the device that is open")
          .isEqualTo(device.description());
    }
  }

  private void writeReply(
      ScriptedServer.Request request, dev.vfio.migration.vfio.linux.PassingSocket client)
      throws ErrnoException {
    client.write(server.reply(request));
  }

  /** Two that open the same device: the second does not wait for ever for the first. */
  @Test
  void whoWaitsTooLongForAnotherThreadsTurnIsRefused() throws Exception {
    CountDownLatch opening = new CountDownLatch(1);
    AtomicInteger asked = new AtomicInteger();
    server.on(
        ScriptedServer.VERSION,
        (request, client) -> {
          if (asked.getAndIncrement() == 0) {
            opening.countDown();
          }
        });
    VfioUserDirectory directory = directory(Duration.ofSeconds(4));
    CompletableFuture<DeviceException> first =
        CompletableFuture.supplyAsync(
            () ->
                catchThrowableOfType(
                    DeviceException.class, () -> directory.open("vfio-user:gpu-0")));
    assertThat(opening.await(60, TimeUnit.SECONDS)).isTrue();
    Entry entry = directory.look("vfio-user:gpu-0").orElseThrow();
    assertThat(entry.problem().kind()).isEqualTo(Kind.UNREACHABLE);
    assertThat(first.get(60, TimeUnit.SECONDS).kind()).isEqualTo(Kind.UNREACHABLE);
  }
}
