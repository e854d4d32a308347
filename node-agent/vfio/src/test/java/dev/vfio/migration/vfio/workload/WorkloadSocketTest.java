package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.user.DeviceFolder;
import dev.vfio.migration.vfio.user.DeviceSockets;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The workload protocol, version 1, with workloads that keep to it and workloads that do not. */
@Timeout(120)
class WorkloadSocketTest {
  private static final Duration LONG = Duration.ofMinutes(5);

  @TempDir Path folder;
  private Path socket;
  private Path ring;
  private ScriptedWorkload workload;
  private WorkloadSocket client;
  private Map<String, Integer> openBefore;

  @BeforeEach
  void start() throws IOException {
    openBefore = OpenDescriptors.count(folder);
    socket = DeviceFolder.make(folder, "gpu-0").resolve("workload.sock");
    ring = file("gpu-0/ring", 16 << 20);
    workload = new ScriptedWorkload(socket, "gpu-0", line -> "{\"ok\":true}\n");
    client = client("gpu-0", LONG);
  }

  @AfterEach
  void stopAndLookForLeaks() throws IOException {
    client.close();
    workload.close();
    assertThat(OpenDescriptors.count(folder)).as("open descriptors").isEqualTo(openBefore);
  }

  private WorkloadSocket client(String device, Duration timeout) {
    return new WorkloadSocket(
        new DeviceSockets(folder).workload(device),
        4096,
        timeout,
        new WindowDirectories(List.of(folder), device));
  }

  private Path file(String name, long size) throws IOException {
    Path path = folder.resolve(name);
    try (RandomAccessFile open = new RandomAccessFile(path.toFile(), "rw")) {
      open.setLength(size);
    }
    return path;
  }

  private static String window(String name, Object iova, Object size, Object file) {
    return "{\"name\":\"%s\",\"iova\":%s,\"size\":%s,\"file\":\"%s\"}"
        .formatted(name, iova, size, file);
  }

  private void describing(String windows) {
    workload.describing(ScriptedWorkload.descriptionOf("gpu-0", windows));
  }

  private static WorkloadException failureOf(ThrowingCallable action) {
    return catchThrowableOfType(WorkloadException.class, action);
  }

  @Test
  void theWorkloadDescribesItselfAndItsWindows() throws IOException {
    describing("[" + window("ring", 4294967296L, 16 << 20, ring) + "]");
    WorkloadDescription said = client.describe();
    assertThat(said)
        .usingRecursiveComparison()
        .ignoringFields("windows.memory")
        .isEqualTo(
            new WorkloadDescription(
                "counter",
                WorkloadState.RUNNING,
                "gpu-0",
                List.of(new DmaWindow("ring", 4294967296L, 16 << 20, ring))));
    assertThat(client.windows()).hasSize(1);
    assertThat(workload.lines()).containsOnly("{\"op\":\"describe\"}");
  }

  /** Others than the device may write to a window unless the workload says otherwise. */
  @Test
  void aWindowCountsAsLoggedOnlyWhereTheWorkloadSaysSo() throws IOException {
    String window = window("ring", 4294967296L, 16 << 20, ring);
    describing("[" + window + "]");
    assertThat(client.windows().get(0).logged()).isFalse();
    describing("[" + window.replace("}", ",\"logged\":true}") + "]");
    assertThat(client.windows().get(0).logged()).isTrue();
    describing("[" + window.replace("}", ",\"logged\":1}") + "]");
    assertThat(failureOf(client::windows)).hasMessageContaining("logged must be true or false");
  }

  /** Which memory moves is said in so many words, or the device would move without it. */
  @Test
  void aDescriptionThatIsNotWholeIsRefused() throws IOException {
    String whole = ScriptedWorkload.descriptionOf("gpu-0", "[]");
    String declared = window("ring", 0, 4096, ring);
    Map<String, String> refused = new LinkedHashMap<>();
    refused.put(whole.replace(",\"windows\":[]", ""), "it must say \"windows\"");
    refused.put(
        whole.replace("windows", "window"), "it has \"window\", which protocol 1 does not know");
    refused.put(whole.replace("[]", "null"), "\"windows\" must be said in a list");
    refused.put(
        whole.replace("[]", "[],\"window\":[]"),
        "it has \"window\", which protocol 1 does not know");
    refused.put(whole.replace("[]", "[" + declared + "],\"windows\":[]"), "Duplicate field");
    refused.put(whole + "{}", "Trailing token");
    refused.put(
        whole.replace("[]", "[" + declared.replace("}", ",\"offset\":4096}") + "]"),
        "window ring has \"offset\", which protocol 1 does not know");
    refused.put(whole.replace("\"protocol\":1", "\"protocol\":2"), "speaks protocol 2");
    refused.put(whole.replace("\"protocol\":1", "\"protocol\":\"1\""), "speaks protocol \"1\"");
    refused.put(whole.replace("\"protocol\":1", "\"protocol\":1.5"), "speaks protocol 1.5");
    refused.put(whole.replace("true", "\"true\""), "\"ok\" must be true or false");
    refused.put(whole.replace("true", "1"), "\"ok\" must be true or false");
    refused.put(whole.replace("\"ok\":true,", ""), "\"ok\" must be true or false");
    refused.forEach(
        (description, why) -> {
          workload.describing(description);
          assertThat(failureOf(client::describe)).as(description).hasMessageContaining(why);
        });
    describing("[]");
    assertThat(client.describe().windows()).as("none, in so many words").isEmpty();
    workload.describing(whole.replace("[]", "[],\"x-build\":42"));
    assertThat(client.describe().windows()).as("a name of its own").isEmpty();
  }

  /** Whether it could be moved once more does not matter to one that is to run. */
  @Test
  void whatItDoesIsToldWhateverItsWindowsAre() throws IOException {
    workload.describing(
        "{\"ok\":true,\"protocol\":1,\"state\":\"paused\",\"device\":\"gpu-0\",\"more\":1}");
    assertThat(client.state()).isEqualTo(WorkloadState.PAUSED);
  }

  /** Nobody takes it for done, and nobody for refused: both would be believed. */
  @Test
  void anAnswerThatSaysNeitherYesNorNoIsNone() throws IOException {
    for (String answer : List.of("{}", "{\"ok\":1}", "{\"ok\":\"true\"}", "{\"ok\":null}", "")) {
      workload.answering(line -> answer + "\n");
      assertThat(failureOf(() -> client.pause("uid/1")))
          .as(answer)
          .hasMessageContaining("Whether it did what was asked is not known");
    }
  }

  @Test
  void everyRequestNamesTheMigration() throws IOException {
    client.pause("uid/1");
    client.resume("uid/1");
    client.take("uid/1");
    client.release("uid/1");
    assertThat(workload.lines())
        .containsExactly(
            "{\"op\":\"describe\"}",
            "{\"op\":\"pause\",\"migration\":\"uid/1\"}",
            "{\"op\":\"resume\",\"migration\":\"uid/1\"}",
            "{\"op\":\"take\",\"migration\":\"uid/1\"}",
            "{\"op\":\"release\",\"migration\":\"uid/1\"}");
  }

  /** Else one that hangs up late and accepts nobody would have its time once more. */
  @Test
  void connectingAgainTakesOfTheTimeThatTheRequestHas() throws IOException {
    WorkloadSocket.Endpoint own = new DeviceSockets(folder).workload("gpu-0");
    List<Duration> limits = new ArrayList<>();
    WorkloadSocket.Endpoint noting =
        new WorkloadSocket.Endpoint() {
          @Override
          public String device() {
            return own.device();
          }

          @Override
          public Path path() {
            return own.path();
          }

          @Override
          public UnixStream connect(Duration timeout) throws IOException {
            limits.add(timeout);
            return own.connect(timeout);
          }
        };
    try (WorkloadSocket again =
        new WorkloadSocket(noting, 4096, LONG, new WindowDirectories(List.of(folder), "gpu-0"))) {
      again.pause("uid/1");
      workload.hangUp();
      again.resume("uid/1");
    }
    assertThat(limits).hasSize(2).allSatisfy(limit -> assertThat(limit).isLessThan(LONG));
  }

  @Test
  void windowsThatCannotBeMovedAreRefusedWithTheReason() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("gpu-0/link"), ring);
    Map<String, String> reasons =
        Map.ofEntries(
            Map.entry("[" + window("a", 1, 4096, ring) + "]", "multiples of the page size 4096"),
            Map.entry("[" + window("a", 0, 4097, ring) + "]", "multiples of the page size 4096"),
            Map.entry("[" + window("a", 0, 0, ring) + "]", "at least one page"),
            Map.entry("[" + window("a", 0, -4096, ring) + "]", "size must be a number"),
            Map.entry("[" + window("a", "\"0\"", 4096, ring) + "]", "iova must be a number"),
            Map.entry("[" + window("a", 1e30, 4096, ring) + "]", "iova must be a number"),
            Map.entry(
                "[" + window("a", Long.MAX_VALUE - 4095, 4096, ring) + "]",
                "beyond the address space"),
            Map.entry("[" + window("a", 0, 4096, "ring") + "]", "absolute path"),
            Map.entry(
                "[" + window("a", 0, 4096, folder.resolve("gpu-0")) + "]",
                "in no folder with the name of the workload's device"),
            Map.entry("[" + window("a", 0, 4096, link) + "]", "a link is in the way"),
            Map.entry(
                "[" + window("a", 0, 4096, "/does/not/exist") + "]",
                "it lies in none of the directories for windows on this node, which are " + folder),
            Map.entry(
                "[" + window("a", 0, (16 << 20) + 4096, ring) + "]",
                "it has 16777216 bytes and the window has 16781312"),
            Map.entry(
                "[" + window("a", 0, 8192, ring) + "," + window("b", 4096, 4096, ring) + "]",
                "windows a and b overlap at iova 4096"),
            Map.entry(
                "[" + window("a", 0, 4096, ring) + "," + window("a", 4096, 4096, ring) + "]",
                "another window has that name"),
            Map.entry("[" + window("", 0, 4096, ring) + "]", "needs a name"),
            Map.entry("[" + window("../x", 0, 4096, ring) + "]", "needs a name"),
            Map.entry("[1]", "needs a name"),
            Map.entry("7", "in a list"));
    reasons.forEach(
        (windows, reason) -> {
          describing(windows);
          WorkloadException failure = failureOf(client::windows);
          assertThat(failure)
              .as(windows)
              .hasMessageContainingAll(
                  socket.toString(), reason, "Nothing was asked of it and no memory was touched");
        });
  }

  @Test
  void theStateIsToldWhateverBecameOfTheWindows() throws IOException {
    describing("[" + window("ring", 0, 4096, ring) + "]");
    assertThat(client.describe().windows()).hasSize(1);
    Files.delete(ring);
    assertThat(failureOf(client::describe)).hasMessageContaining("ENOENT (2)");
    assertThat(client.state()).isEqualTo(WorkloadState.RUNNING);
  }

  /** One descriptor for each window, until the workload is asked again or its object closed. */
  @Test
  void theFilesThatWereCheckedAreKeptAndThenClosed() throws IOException {
    describing("[" + window("ring", 0, 4096, ring) + "]");
    for (int asked = 0; asked < 3; asked++) {
      assertThat(client.describe().windows().get(0).memory()).isPresent();
      assertThat(OpenDescriptors.count(folder)).containsEntry(ring.toString(), 1);
    }
    client.close();
    assertThat(OpenDescriptors.count(folder)).doesNotContainKey(ring.toString());
    assertThat(failureOf(client::describe)).isNotNull();
    assertThat(OpenDescriptors.count(folder)).doesNotContainKey(ring.toString());
  }

  @Test
  void windowsThatTouchDoNotOverlapAndNoWindowsAreFine() throws IOException {
    describing("[" + window("b", 4096, 4096, ring) + "," + window("a", 0, 4096, ring) + "]");
    assertThat(client.windows()).extracting(DmaWindow::name).containsExactly("b", "a");
    describing("[]");
    assertThat(client.windows()).isEmpty();
  }

  @Test
  void aRefusalCarriesTheErrnoAndTheText() {
    workload.answering(line -> "{\"ok\":false,\"errno\":22,\"error\":\"not \\u0007now\"}\n");
    WorkloadException failure = failureOf(() -> client.pause("uid/1"));
    assertThat(failure.errno()).isEqualTo(22);
    assertThat(failure)
        .hasMessageContaining("refused \"pause\" for migration uid/1: not \\u0007now, EINVAL (22)");
  }

  @Test
  void anAnswerThatIsNoneIsAnError() {
    Map<String, String> answers =
        Map.of(
            "nonsense\n",
            "no JSON",
            "[1]\n",
            "no JSON object",
            "{\"ok\":true}\n{\"ok\":true}\n",
            "more than one line",
            "x".repeat(65537),
            "longer than 65536 bytes",
            "{\"ok\":false}\n",
            "no reason given");
    answers.forEach(
        (answer, words) -> {
          workload.answering(line -> answer);
          assertThat(failureOf(() -> client.pause("uid/1"))).as(words).hasMessageContaining(words);
        });
  }

  @Test
  void anotherProtocolOrStateIsAnError() {
    workload.describing("{\"ok\":true,\"protocol\":2}");
    assertThat(failureOf(client::describe)).hasMessageContaining("speaks protocol 2");
    assertThat(failureOf(() -> client.pause("uid/1"))).hasMessageContaining("speaks protocol 2");
    workload.describing("{\"ok\":true,\"protocol\":1,\"device\":\"gpu-0\",\"state\":\"dancing\"}");
    assertThat(failureOf(client::describe)).hasMessageContaining("in the state \"dancing\"");
  }

  @Test
  void aWorkloadThatDoesNotAnswerIsNotWaitedForForEver() throws IOException {
    workload.answering(line -> "");
    try (WorkloadSocket quick = client("gpu-0", Duration.ofSeconds(1))) {
      WorkloadException failure = failureOf(() -> quick.pause("uid/1"));
      assertThat(failure.errno()).as("ETIMEDOUT").isEqualTo(110);
      assertThat(failure).hasMessageContaining("did not answer \"pause\" within 1000 ms");
    }
    assertThat(workload.lines())
        .as("asked once")
        .containsOnlyOnce("{\"op\":\"pause\",\"migration\":\"uid/1\"}");
  }

  @Test
  void aConnectionThatEndedMeanwhileIsMadeAnew() throws IOException {
    client.pause("uid/1");
    workload.hangUp();
    client.pause("uid/1");
    assertThat(workload.lines().stream().filter(line -> line.contains("pause"))).hasSize(2);
  }

  @Test
  void aWorkloadThatHangsUpInsteadOfAnsweringIsAnError() throws IOException {
    workload.answering(line -> null);
    assertThat(failureOf(() -> client.pause("uid/1")))
        .hasMessageContaining("cannot be reached for \"pause\"");
    workload.answering(line -> "{\"ok\":true}\n");
    client.pause("uid/1");
  }

  private void saying(String state) {
    workload.describing(ScriptedWorkload.descriptionOf("gpu-0", "[]").replace("running", state));
  }

  @Test
  void oneThatWaitsIsFoundAlsoOverAnotherConnection() throws IOException {
    saying("waiting");
    client.requireWaiting("uid/1");
    workload.hangUp();
    client.requireWaiting("uid/1");
    assertThat(workload.lines()).contains("{\"op\":\"describe\"}");
  }

  @Test
  void oneThatDoesNotWaitCannotTake() {
    saying("released");
    assertThat(failureOf(() -> client.requireWaiting("uid/1")))
        .hasMessageContaining("is RELEASED and not WAITING");
  }

  @Test
  void oneThatEndedIsToldFromOneThatDoesNotAnswer() throws IOException {
    workload.describing("");
    try (WorkloadSocket quick = client("gpu-0", Duration.ofSeconds(1))) {
      assertThat(failureOf(() -> quick.requireWaiting("uid/1")).errno())
          .as("ETIMEDOUT")
          .isEqualTo(110);
      workload.close();
      WorkloadException ended = failureOf(() -> quick.requireWaiting("uid/1"));
      assertThat(ended.errno()).as("ESRCH").isEqualTo(3);
      assertThat(ended).hasMessageContaining("it has ended");
    }
  }

  /** What was loaded into the memory of the one before it does not have. */
  @Test
  void oneThatWasStartedAnewCannotTake() throws Exception {
    Path other = DeviceFolder.make(folder, "gpu-1").resolve("workload.sock");
    try (WorkloadSocket slow = client("gpu-1", LONG)) {
      long first;
      try (ListeningProgram program = new ListeningProgram(other)) {
        first = program.pid();
        slow.requireWaiting("uid/1");
        slow.requireWaiting("uid/1");
      }
      Files.delete(other);
      try (ListeningProgram program = new ListeningProgram(other)) {
        WorkloadException failure = failureOf(() -> slow.requireWaiting("uid/1"));
        assertThat(failure.errno()).as("ESRCH").isEqualTo(3);
        assertThat(failure)
            .hasMessageContaining("is process " + program.pid() + " now and was process " + first);
      }
    }
  }

  @Test
  void aWorkloadOfAnotherDeviceOrOfNoneIsAskedForNothing() {
    Map<String, String> others =
        Map.of(
            "{\"ok\":true,\"protocol\":1,\"state\":\"running\"}",
            "names no device",
            "{\"ok\":true,\"protocol\":1,\"state\":\"running\",\"device\":7}",
            "names no device",
            "{\"ok\":true,\"protocol\":1,\"state\":\"running\",\"device\":\"gpu-0 \"}",
            "names \"gpu-0 \"",
            ScriptedWorkload.descriptionOf("GPU-0", "[]"),
            "names \"GPU-0\"",
            ScriptedWorkload.descriptionOf("x".repeat(600), "[]"),
            "(cut, 600 characters)");
    List<ThrowingCallable> everything =
        List.of(
            client::describe,
            client::state,
            client::windows,
            () -> client.pause("uid/1"),
            () -> client.resume("uid/1"),
            () -> client.take("uid/1"),
            () -> client.release("uid/1"));
    others.forEach(
        (description, words) -> {
          workload.describing(description);
          everything.forEach(
              operation ->
                  assertThat(failureOf(operation))
                      .hasMessageContainingAll(
                          words,
                          "as the workload of \"gpu-0\"",
                          socket.toString(),
                          "asked for nothing more"));
        });
    assertThat(workload.lines()).containsOnly("{\"op\":\"describe\"}");
  }

  @Test
  void whoeverIsThereAfterAHangUpIsAskedForItsDeviceFirst() throws IOException {
    assertThat(client.describe().device()).isEqualTo("gpu-0");
    workload.hangUp();
    workload.describing(ScriptedWorkload.descriptionOf("gpu-1", "[]"));
    assertThat(failureOf(() -> client.pause("uid/1"))).hasMessageContaining("names \"gpu-1\"");
    workload.describing(ScriptedWorkload.descriptionOf("gpu-0", "[]"));
    client.pause("uid/1");
    assertThat(workload.lines().stream().filter(line -> line.contains("pause"))).hasSize(1);
  }

  @Test
  void aWorkloadThatIsNotThereIsAnError() {
    try (WorkloadSocket lost = client("none", LONG)) {
      WorkloadException failure = failureOf(lost::windows);
      assertThat(failure.errno()).as("ENOENT").isEqualTo(2);
      assertThat(failure).hasMessageContaining("none/workload.sock");
    }
  }

  /** Bytes that come one by one, each in time, make no answer that is in time. */
  @Test
  void aRequestHasOneLimitHoweverTheAnswerComes() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    Path trickling = DeviceFolder.make(folder, "trickling").resolve("workload.sock");
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(trickling));
      Thread server =
          new Thread(
              () -> {
                try (SocketChannel peer = listener.accept()) {
                  while (!over.await(250, TimeUnit.MILLISECONDS)) {
                    peer.write(ByteBuffer.wrap(new byte[] {' '}));
                  }
                } catch (IOException | InterruptedException ended) {
                  over.countDown();
                }
              });
      server.start();
      try (WorkloadSocket asking = client("trickling", Duration.ofSeconds(1))) {
        WorkloadException failure = failureOf(asking::describe);
        assertThat(failure).hasMessageContaining("did not answer \"describe\" within 1000 ms");
      } finally {
        over.countDown();
        server.join(TimeUnit.SECONDS.toMillis(60));
      }
    }
  }
}
