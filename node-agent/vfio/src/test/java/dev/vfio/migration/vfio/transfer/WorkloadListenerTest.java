package dev.vfio.migration.vfio.transfer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntPredicate;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Who may wait at the socket, one at a time, and who is sent away with a reason. */
@Timeout(120)
class WorkloadListenerTest {
  private static final String DEVICE = "0000:65:00.1";
  private static final Duration LONG = TransferFixture.LONG;
  private static final int NOBODY = 65534;

  @TempDir Path folder;
  private WorkloadListener listener;
  private Path socket;

  @BeforeEach
  void open() throws IOException {
    listener = newListener(folder.resolve("devices"), LONG, user -> false);
    listener.offer(DEVICE);
    socket = listener.socket(DEVICE);
  }

  @AfterEach
  void close() {
    listener.close();
  }

  private WorkloadListener newListener(Path directory, Duration helloTimeout, IntPredicate users)
      throws IOException {
    long self = ProcessHandle.current().pid();
    return new WorkloadListener(
        directory,
        folder.resolve("records"),
        helloTimeout,
        users,
        (device, process) -> process == self);
  }

  private WorkloadListener newListener(HolderCheck holders) throws IOException {
    return new WorkloadListener(
        folder.resolve("reattaching"), folder.resolve("records"), LONG, user -> false, holders);
  }

  private void record(String migration, TransferRecord.Stage stage) throws IOException {
    listener
        .records()
        .write(DEVICE, new TransferRecord(migration, ProcessHandle.current().pid(), 1, stage));
  }

  private static void sentAway(Path socket, String holds, int errno, String why)
      throws IOException {
    try (TestClient client = TestClient.connect(socket)) {
      client.hello(holds);
      JsonNode answer = client.next();
      assertThat(answer.path("errno").asInt()).isEqualTo(errno);
      assertThat(answer.path("error").asText()).contains(why);
      assertThat(client.next()).isNull();
    }
  }

  @Test
  void whoDoesNotHoldWhatItSaysItHoldsPushesNobodyAway() throws Exception {
    try (WorkloadListener careful = newListener((device, process) -> false)) {
      careful.offer(DEVICE);
      try (TestClient honest = TestClient.waitAt(careful.socket(DEVICE), null)) {
        sentAway(careful.socket(DEVICE), "uid-1/1", 22, "does not hold the device " + DEVICE);

        assertThat(careful.waiting(DEVICE)).contains("shop-db");
        assertThat(honest.descriptors()).isEmpty();
      }
    }
  }

  @Test
  void whereItCannotBeFoundOutWhoHoldsTheDeviceNobodyIsBelieved() throws Exception {
    try (WorkloadListener careful =
        newListener(
            (device, process) -> {
              throw new IOException("two candidates");
            })) {
      careful.offer(DEVICE);

      sentAway(careful.socket(DEVICE), "uid-1/1", 16, "is not known: two candidates");
    }
  }

  @Test
  void whatTheRecordContradictsIsNotBelieved() throws Exception {
    try (WorkloadListener careful = newListener((device, process) -> true)) {
      careful.offer(DEVICE);
      record("uid-2/1", TransferRecord.Stage.DELIVERED);
      sentAway(careful.socket(DEVICE), "uid-1/1", 22, "for the migration uid-2/1 and not");

      record("uid-1/1", TransferRecord.Stage.TAKEN);
      sentAway(careful.socket(DEVICE), "uid-1/1", 22, "was taken for uid-1/1");

      record("uid-1/1", TransferRecord.Stage.TOLD);
      TestClient.waitAt(careful.socket(DEVICE), "uid-1/1").close();
    }
  }

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

  @Test
  void othersGetThroughADevicesFolderAndSeeNothingOfIt() throws Exception {
    assertThat(Files.getPosixFilePermissions(listener.folder(DEVICE)))
        .isEqualTo(PosixFilePermissions.fromString("rwx--x--x"));
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
  void whoHoldsTheDeviceComesBeforeOneThatWouldLikeTo() throws Exception {
    record("uid-1/1", TransferRecord.Stage.DELIVERED);
    try (TestClient hopeful = TestClient.waitAt(socket, null);
        TestClient holder = TestClient.waitAt(socket, "uid-1/1");
        TestClient another = TestClient.connect(socket)) {
      assertThat(hopeful.next()).as("made room").isNull();
      assertThat(listener.await(DEVICE, LONG).holds()).isEqualTo("uid-1/1");
      another.hello("uid-1/1");
      assertThat(another.next().path("errno").asInt()).as("but only the first").isEqualTo(16);
      assertThat(holder.descriptors()).isEmpty();
    }
  }

  @Test
  void aHolderThatIsGoneBeforeItIsAnsweredEndsNothing() throws Exception {
    CountDownLatch gone = new CountDownLatch(1);
    try (WorkloadListener careful = newListener((device, process) -> passed(gone))) {
      careful.offer(DEVICE);
      try (TestClient hopeful = TestClient.waitAt(careful.socket(DEVICE), null)) {
        try (TestClient holder = TestClient.connect(careful.socket(DEVICE))) {
          holder.hello("uid-1/1");
        }
        gone.countDown();

        assertThat(hopeful.next()).as("made room").isNull();
        assertThat(careful.waiting(DEVICE)).isEmpty();
        TestClient.waitAt(careful.socket(DEVICE), null).close();
        assertThat(careful.serves()).isTrue();
      }
    }
  }

  private static boolean passed(CountDownLatch latch) throws IOException {
    try {
      return latch.await(60, TimeUnit.SECONDS);
    } catch (InterruptedException interrupted) {
      throw new IOException(interrupted);
    }
  }

  @Test
  void aLookThatHangsKeepsOnlyWhoAskedForItWaiting() throws Exception {
    CountDownLatch answers = new CountDownLatch(1);
    try (WorkloadListener careful = newListener((device, process) -> passed(answers))) {
      careful.offer(DEVICE);
      careful.offer("0000:65:00.2");
      try (TestClient reattaching = TestClient.connect(careful.socket(DEVICE))) {
        reattaching.hello("uid-1/1");

        TestClient.waitAt(careful.socket("0000:65:00.2"), null).close();
        assertThat(careful.waiting(DEVICE)).isEmpty();
        answers.countDown();
        assertThat(reattaching.next().path("ok").asBoolean()).as("let in after all").isTrue();
        assertThat(careful.waiting(DEVICE)).contains("shop-db");
      }
    }
  }

  @Test
  void whoIsNotLookedAtInTimeIsAnsweredSo() throws Exception {
    CountDownLatch answers = new CountDownLatch(1);
    try (WorkloadListener hasty =
        new WorkloadListener(
            folder.resolve("hasty"),
            folder.resolve("records"),
            Duration.ofSeconds(1),
            user -> false,
            (device, process) -> passed(answers))) {
      hasty.offer(DEVICE);
      sentAway(hasty.socket(DEVICE), "uid-1/1", 110, "could not be found out in time");
      sentAway(hasty.socket(DEVICE), "uid-1/1", 110, "could not be found out in time");
      TestClient.waitAt(hasty.socket(DEVICE), null).close();
    } finally {
      answers.countDown();
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

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"protocol\":2,\"workload\":\"a\",\"holds\":null}",
        "{\"workload\":\"a\"}",
        "{\"protocol\":1,\"workload\":\"\"}",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":7}",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":\"with blank\"}",
        "{\"protocol\":1,\"workload\":\"a\",\"hold\":\"uid-1/1\"}",
        "{\"protocol\":\"1\",\"workload\":\"a\",\"holds\":null}",
        "{\"protocol\":1.5,\"workload\":\"a\",\"holds\":null}"
      })
  void whatSaysNoProperHelloIsToldSo(String hello) throws Exception {
    try (TestClient client = TestClient.connect(socket)) {
      client.say(hello);

      JsonNode answer = client.next();
      assertThat(answer.path("ok").asBoolean(true)).isFalse();
      assertThat(answer.path("error").asText()).isNotEmpty();
      assertThat(client.next()).isNull();
    }
    assertThat(listener.waiting(DEVICE)).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "not JSON",
        "[1]",
        "{}\n{}",
        "",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":null}{}",
        "{\"protocol\":1,\"workload\":\"a\",\"holds\":\"uid-1/1\",\"holds\":null}"
      })
  void whatIsNoLineOfTheProtocolEndsTheConnection(String noise) throws Exception {
    try (TestClient client = TestClient.connect(socket)) {
      client.say(noise);

      JsonNode answer = client.next();
      assertThat(answer == null || !answer.path("ok").asBoolean(true)).isTrue();
    }
    assertThat(listener.waiting(DEVICE)).isEmpty();
  }

  @Test
  void anEndlessLineEndsTheConnection() throws Exception {
    try (TestClient client = TestClient.connect(socket)) {
      assertThatThrownBy(
              () -> {
                client.say("x".repeat(LineConnection.MAX_LINE_BYTES + 1));
                if (client.next() == null) {
                  throw new IOException("closed");
                }
              })
          .isInstanceOf(IOException.class);
    }
  }

  @Test
  void whoSaysNothingIsSentAwayAndKeepsNobodyElseOut() throws Exception {
    try (WorkloadListener hasty =
        newListener(folder.resolve("hasty"), Duration.ofSeconds(2), user -> false)) {
      hasty.offer(DEVICE);
      try (TestClient silent = TestClient.connect(hasty.socket(DEVICE));
          TestClient polite = TestClient.waitAt(hasty.socket(DEVICE), null)) {
        assertThat(silent.next().path("errno").asInt()).isEqualTo(110);
        assertThat(hasty.waiting(DEVICE)).contains("shop-db");
        assertThat(polite.descriptors()).isEmpty();
      }
    }
  }

  @Test
  void onlySoManyAreLetInBeforeTheySayWhoTheyAre() throws Exception {
    List<TestClient> silent = new ArrayList<>();
    try {
      for (int i = 0; i < 8; i++) {
        silent.add(TestClient.connect(socket));
      }
      TestClient tooMany = TestClient.connect(socket);
      silent.add(tooMany);

      assertThatThrownBy(
              () -> {
                if (tooMany.next() == null) {
                  throw new IOException("closed");
                }
              })
          .isInstanceOf(IOException.class);
    } finally {
      silent.forEach(TestClient::close);
    }
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
  void aWithdrawnDeviceHasNoSocketAndNobodyWaits() throws Exception {
    try (TestClient client = TestClient.waitAt(socket, null)) {
      listener.withdraw(DEVICE);

      assertThat(client.next()).isNull();
      assertThat(socket).doesNotExist();
      assertThat(listener.offered()).isEmpty();
      assertThat(listener.waiting(DEVICE)).isEmpty();
    }
    listener.offer(DEVICE);
    TestClient.waitAt(socket, null).close();
  }

  @Test
  void aSocketThatAKilledAgentLeftIsTakenOver() throws Exception {
    try (WorkloadListener killed = newListener(folder.resolve("devices"), LONG, user -> false)) {
      // Two listeners at one folder: the first has its name taken from it, as after a crash.
      killed.offer(DEVICE);
      try (TestClient client = TestClient.waitAt(killed.socket(DEVICE), null)) {
        assertThat(killed.waiting(DEVICE)).contains("shop-db");
        assertThat(client.descriptors()).isEmpty();
      }
    }
  }

  @Test
  void whatIsNoSocketIsNotRemoved() throws Exception {
    listener.withdraw(DEVICE);
    Files.writeString(socket, "somebody's");

    assertThatThrownBy(() -> listener.offer(DEVICE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is no socket; remove it");
    assertThat(socket).hasContent("somebody's");
  }

  @Test
  void aSocketComesIntoItsFolderAsItIsAndNothingIsChangedThereByItsName() throws Exception {
    listener.withdraw(DEVICE);
    Path end = listener.folder(DEVICE).resolve("end");
    List<String> happened = new ArrayList<>();
    try (WatchService watch = folder.getFileSystem().newWatchService()) {
      listener
          .folder(DEVICE)
          .register(
              watch,
              StandardWatchEventKinds.ENTRY_CREATE,
              StandardWatchEventKinds.ENTRY_DELETE,
              StandardWatchEventKinds.ENTRY_MODIFY);
      listener.offer(DEVICE);
      Files.createFile(end);
      while (!happened.contains("ENTRY_CREATE end")) {
        WatchKey key = watch.poll(60, TimeUnit.SECONDS);
        assertThat(key).as("after " + happened).isNotNull();
        key.pollEvents().forEach(event -> happened.add(event.kind() + " " + event.context()));
        key.reset();
      }
    }

    // A change would be one of whatever has that name by then.
    assertThat(happened).startsWith("ENTRY_CREATE handover.sock", "ENTRY_CREATE end");
    assertThat(Files.getPosixFilePermissions(socket))
        .isEqualTo(PosixFilePermissions.fromString("rw-rw-rw-"));
    TestClient.waitAt(socket, null).close();
  }

  @Test
  void whereASocketIsMadeNobodyElseGetsTo() throws Exception {
    assertThat(Files.getPosixFilePermissions(folder.resolve("devices/.new")))
        .isEqualTo(PosixFilePermissions.fromString("rwx------"));
    assertThat(folder.resolve("devices/.new")).isEmptyDirectory();
  }

  @Test
  void aLinkInTheSocketsPlaceIsNotFollowed() throws Exception {
    listener.withdraw(DEVICE);
    Path secret = Files.createFile(folder.resolve("secret"));
    Files.setPosixFilePermissions(secret, PosixFilePermissions.fromString("rw-------"));
    Files.createSymbolicLink(socket, secret);

    assertThatThrownBy(() -> listener.offer(DEVICE))
        .hasMessageContaining("is no socket; remove it");

    assertThat(Files.getPosixFilePermissions(secret))
        .isEqualTo(PosixFilePermissions.fromString("rw-------"));
  }

  @Test
  void whatIsNotTheAgentsOwnIsNotTrusted() throws Exception {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Path devices = folder.resolve("devices");
    Files.createSymbolicLink(devices.resolve("0000:65:00.2"), elsewhere);
    assertThatThrownBy(() -> listener.offer("0000:65:00.2")).hasMessageContaining("is no folder");

    Files.setPosixFilePermissions(devices, PosixFilePermissions.fromString("rwxrwxrwx"));
    assertThatThrownBy(() -> listener.offer("0000:65:00.3"))
        .hasMessageContaining("others than the agent may write to " + devices)
        .hasMessageContaining("rwxrwxrwx")
        .hasMessageContaining("mode 0755");
    assertThat(elsewhere).isEmptyDirectory();
  }

  @Test
  void aFolderWithTooLongANameIsRefusedInWords() throws Exception {
    try (WorkloadListener deep =
        newListener(folder.resolve("d".repeat(100)), LONG, user -> false)) {
      assertThatThrownBy(() -> deep.offer(DEVICE))
          .isInstanceOf(ErrnoException.class)
          .hasMessageContaining("ENAMETOOLONG")
          .hasMessageContaining("the path of a socket may have 107");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"..", "a/b", "", ".records", "-a", "a b"})
  void aNameThatIsNoDevicesLeadsNowhere(String name) {
    assertThatThrownBy(() -> listener.folder(name)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aClosedListenerLeavesNothingOpenAndNoSockets() throws Exception {
    Map<String, Integer> before = OpenDescriptors.count(folder);
    WorkloadListener brief = newListener(folder.resolve("short"), LONG, user -> false);
    brief.offer(DEVICE);
    brief.offer("0000:65:00.2");
    TestClient waiting = TestClient.waitAt(brief.socket(DEVICE), null);
    TestClient silent = TestClient.connect(brief.socket(DEVICE));

    brief.close();

    assertThat(waiting.next()).isNull();
    waiting.close();
    silent.close();
    assertThat(brief.socket(DEVICE)).doesNotExist();
    assertThat(OpenDescriptors.count(folder)).isEqualTo(before);
    assertThatThrownBy(() -> brief.offer(DEVICE))
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is closed");
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
