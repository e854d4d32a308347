package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntPredicate;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Who may wait at the socket, one at a time, and who is sent away with a reason. */
@Timeout(120)
class WorkloadListenerTest extends ListenerFixture {
  @Test
  void whoMayNotWaitTakesNoPlaceFromOneThatMay() throws Exception {
    // More than there are places, and they stay connected as long as they are let.
    Process silent =
        perlAs(
            NOBODY,
            "my @all = map { IO::Socket::UNIX->new(Peer => $ARGV[0]) or die \"connect: $!\" }"
                + " 1..12; $| = 1; print scalar(readline($all[11])); print \"all\\n\"; <STDIN>;");
    try (BufferedReader said = silent.inputReader()) {
      assertThat(said.readLine()).contains("\"errno\":1,").contains("may not wait");
      assertThat(said.readLine()).isEqualTo("all");

      TestClient.waitAt(socket, null).close();
    } finally {
      silent.destroyForcibly();
    }
  }

  @Test
  void whoConnectsAllTheTimeDoesNotFillTheLog() throws Exception {
    Logger logger = Logger.getLogger(DeviceEndpoint.class.getName());
    AtomicInteger lines = new AtomicInteger();
    Handler counting =
        new Handler() {
          @Override
          public void publish(LogRecord line) {
            lines.incrementAndGet();
          }

          @Override
          public void flush() {}

          @Override
          public void close() {}
        };
    logger.addHandler(counting);
    try {
      for (int i = 0; i < 200; i++) {
        sentAway(socket, "no such migration", 22, "is null or the migration");
      }
    } finally {
      logger.removeHandler(counting);
    }
    assertThat(lines.get()).isBetween(1, ConnectionLog.LINES + 1);
  }

  private String awaitSomebody() throws IOException {
    return listener.await(DEVICE, LONG).name();
  }

  @Test
  void aWorkloadWaitsUnderItsName() throws Exception {
    assertThat(listener.waiting(DEVICE)).isEmpty();

    try (TestClient client = TestClient.waitAt(socket, null)) {
      assertThat(listener.waiting(DEVICE)).contains("shop-db");
      assertThat(awaitSomebody()).isEqualTo("shop-db");
      assertThat(listener.offered()).containsExactly(DEVICE);
      assertThat(client.descriptors()).isEmpty();
    }
  }

  @Test
  void aSecondWorkloadIsSentAway() throws Exception {
    try (TestClient first = TestClient.waitAt(socket, null);
        TestClient second = TestClient.connect(socket)) {
      second.hello(null);

      JsonNode answer = second.next();
      assertThat(answer.path("ok").asBoolean()).isFalse();
      assertThat(answer.path("errno").asInt()).isEqualTo(16);
      assertThat(answer.path("error").asText()).contains("another workload waits");
      assertThat(second.next()).isNull();
      assertThat(first.descriptors()).isEmpty();
      assertThat(listener.waiting(DEVICE)).contains("shop-db");
    }
  }

  @Test
  void aListenerThatHangsIsNotWaitedForWithoutEnd() throws Exception {
    CountDownLatch hangs = new CountDownLatch(1);
    CountDownLatch goesOn = new CountDownLatch(1);
    IntPredicate slow =
        user -> {
          hangs.countDown();
          try {
            return goesOn.await(60, TimeUnit.SECONDS);
          } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
          }
        };
    try (WorkloadListener stuck =
        new WorkloadListener(
            folder.resolve("stuck"),
            folder.resolve("records"),
            LONG,
            slow,
            (device, process) -> true,
            Duration.ofMillis(300))) {
      stuck.offer(DEVICE);
      socket = stuck.socket(DEVICE);
      Process client = perlAs(NOBODY, "IO::Socket::UNIX->new(Peer => $ARGV[0]) or die; <STDIN>;");
      try {
        assertThat(hangs.await(60, TimeUnit.SECONDS)).isTrue();
        assertThatThrownBy(() -> stuck.waiting(DEVICE))
            .isInstanceOf(IOException.class)
            .hasMessageContaining("did not answer within 300 ms; nothing was done");
      } finally {
        goesOn.countDown();
        client.destroyForcibly();
      }
    }
  }

  @Test
  void aFaultAtOneDeviceEndsTheListenerForNobody() throws Exception {
    IntPredicate faulty =
        user -> {
          throw new IllegalStateException("a fault that this test makes");
        };
    WorkloadListener shaken = newListener(folder.resolve("shaken"), LONG, faulty);
    try (shaken) {
      shaken.offer("0000:65:00.2");
      shaken.offer(DEVICE);
      try (TestClient elsewhere = TestClient.waitAt(shaken.socket("0000:65:00.2"), null)) {
        socket = shaken.socket(DEVICE);
        assertThat(helloAs(NOBODY)).as("let in").doesNotContain("\"ok\":true");

        assertThat(shaken.waiting("0000:65:00.2")).contains("shop-db");
        assertThat(elsewhere.descriptors()).isEmpty();
        TestClient.waitAt(socket, null).close();
      }
      assertThat(shaken.serves()).isTrue();
    }
    assertThat(shaken.serves()).as("once it has ended").isFalse();
  }

  @Test
  void whenOneLeavesAnotherMayWait() throws Exception {
    TestClient.waitAt(socket, null).close();

    // The listener may hear of the second before it finds the first gone.
    TestClient second = null;
    while (second == null) {
      try {
        second = TestClient.waitAt(socket, null);
      } catch (IOException sentAway) {
        assertThat(sentAway).hasMessageContaining("another workload waits");
      }
    }
    assertThat(listener.waiting(DEVICE)).contains("shop-db");
    second.close();
  }

  @Test
  void anotherUserIsRefusedUnlessTheFolderIsTheirs() throws Exception {
    String refused = helloAs(NOBODY);
    assertThat(refused).contains("\"errno\":1,").contains("user 65534 may not wait");
    assertThat(listener.waiting(DEVICE)).isEmpty();

    Files.setAttribute(listener.folder(DEVICE), "unix:uid", NOBODY);
    assertThat(helloAs(NOBODY)).isEqualTo("{\"ok\":true}");
  }

  @Test
  void usersThatTheAgentIsToldOfMayWait() throws Exception {
    try (WorkloadListener open =
        newListener(folder.resolve("open"), LONG, user -> user == NOBODY)) {
      open.offer(DEVICE);
      socket = open.socket(DEVICE);
      assertThat(helloAs(NOBODY)).isEqualTo("{\"ok\":true}");
    }
  }

  /** The listener's answer to a process of that user. */
  private String helloAs(int user) throws Exception {
    Process process =
        perlAs(
            user,
            "$SIG{PIPE} = 'IGNORE'; my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die"
                + " \"connect: $!\"; print $s"
                + " qq({\"protocol\":1,\"workload\":\"other\",\"holds\":null}\\n);"
                + " $s->flush(); print scalar <$s>;");
    String answer = new String(process.getInputStream().readAllBytes()).strip();
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return answer;
  }

  private Process perlAs(int user, String script) throws Exception {
    Assumptions.assumeTrue(
        Integer.valueOf(0).equals(Files.getAttribute(folder, "unix:uid")),
        "skipped: only root can act for another user");
    for (Path way = socket.getParent(); way.startsWith(folder); way = way.getParent()) {
      Files.setPosixFilePermissions(way, PosixFilePermissions.fromString("rwxr-xr-x"));
    }
    try {
      return new ProcessBuilder(
              "perl",
              "-MIO::Socket::UNIX",
              "-e",
              "$( = $) = \"" + user + " " + user + "\"; $< = $> = " + user + "; " + script,
              socket.toString())
          .redirectErrorStream(true)
          .start();
    } catch (IOException missing) {
      return Assumptions.abort("skipped: there is no perl (on Debian: apt-get install perl-base)");
    }
  }

  @Test
  void whoAwaitsAWorkloadIsToldThatTheSocketWasWithdrawn() throws Exception {
    listener.withdraw(DEVICE);
    CompletableFuture<Object> awaited = Beside.beside(() -> listener.await(DEVICE, LONG));
    while (!listener.offered().contains(DEVICE)) {
      Thread.onSpinWait();
    }
    listener.withdraw(DEVICE);
    assertThatThrownBy(() -> Beside.done(awaited))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(111))
        .hasMessage("nobody can wait for the device " + DEVICE + ": its socket was withdrawn");
  }

  @Test
  void whereNobodyComesThatIsSaid() {
    assertThatThrownBy(() -> listener.await(DEVICE, Duration.ofMillis(100)))
        .isInstanceOf(WorkloadListener.NobodyWaits.class)
        .hasMessageContaining("nobody waits for it at " + socket)
        .hasMessageContaining("Start the workload");
  }
}
