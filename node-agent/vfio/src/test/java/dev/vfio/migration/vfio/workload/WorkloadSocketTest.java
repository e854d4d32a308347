package dev.vfio.migration.vfio.workload;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.vfio.migration.vfio.linux.OpenDescriptors;
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
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The workload protocol, version 1, with workloads that keep to it and workloads that do not. */
@Timeout(20)
class WorkloadSocketTest {
  private static final Duration LONG = Duration.ofSeconds(10);

  @TempDir Path folder;
  private Path socket;
  private Path ring;
  private ScriptedWorkload workload;
  private WorkloadSocket client;
  private Map<String, Integer> openBefore;

  @BeforeEach
  void start() throws IOException {
    openBefore = OpenDescriptors.count(folder);
    socket = folder.resolve("gpu-0.workload.sock");
    ring = file("ring", 16 << 20);
    workload = new ScriptedWorkload(socket, line -> "{\"ok\":true}\n");
    client = new WorkloadSocket(socket, 4096, LONG);
  }

  @AfterEach
  void stopAndLookForLeaks() throws IOException {
    client.close();
    workload.close();
    assertThat(OpenDescriptors.count(folder)).as("open descriptors").isEqualTo(openBefore);
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
    workload.answering(
        line ->
            "{\"ok\":true,\"protocol\":1,\"workload\":\"counter\",\"state\":\"running\","
                + "\"device\":\"gpu-0\",\"windows\":"
                + windows
                + "}\n");
  }

  private static WorkloadException failureOf(ThrowingCallable action) {
    return catchThrowableOfType(WorkloadException.class, action);
  }

  @Test
  void theWorkloadDescribesItselfAndItsWindows() throws IOException {
    describing("[" + window("ring", 4294967296L, 16 << 20, ring) + "]");
    assertThat(client.describe())
        .isEqualTo(
            new WorkloadDescription(
                "counter",
                WorkloadState.RUNNING,
                "gpu-0",
                java.util.List.of(new DmaWindow("ring", 4294967296L, 16 << 20, ring))));
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

  @Test
  void everyRequestNamesTheMigration() throws IOException {
    client.pause("uid/1");
    client.resume("uid/1");
    client.take("uid/1");
    client.release("uid/1");
    assertThat(workload.lines())
        .containsExactly(
            "{\"op\":\"pause\",\"migration\":\"uid/1\"}",
            "{\"op\":\"resume\",\"migration\":\"uid/1\"}",
            "{\"op\":\"take\",\"migration\":\"uid/1\"}",
            "{\"op\":\"release\",\"migration\":\"uid/1\"}");
  }

  @Test
  void windowsThatCannotBeMovedAreRefusedWithTheReason() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), ring);
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
            Map.entry("[" + window("a", 0, 4096, folder) + "]", "no regular file"),
            Map.entry("[" + window("a", 0, 4096, link) + "]", "no regular file"),
            Map.entry("[" + window("a", 0, 4096, "/does/not/exist") + "]", "does not exist"),
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
              .hasMessageContaining(socket.toString())
              .hasMessageContaining(reason)
              .hasMessageContaining("Nothing was asked of it");
        });
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
        .hasMessageContaining("refused \"pause\" for migration uid/1: not ?now, EINVAL (22)");
  }

  @Test
  void anAnswerThatIsNoneIsAnError() {
    Map<String, String> answers =
        Map.of(
            "nonsense\n",
            "no JSON: nonsense",
            "[1]\n",
            "no JSON object: [1]",
            "{\"ok\":true}\n{\"ok\":true}\n",
            "more than one line",
            "x".repeat(65537),
            "longer than 65536 bytes",
            "{}\n",
            "no reason given");
    answers.forEach(
        (answer, words) -> {
          workload.answering(line -> answer);
          assertThat(failureOf(() -> client.pause("uid/1"))).as(words).hasMessageContaining(words);
        });
  }

  @Test
  void anotherProtocolOrStateIsAnError() {
    workload.answering(line -> "{\"ok\":true,\"protocol\":2}\n");
    assertThat(failureOf(client::describe)).hasMessageContaining("speaks protocol 2");
    workload.answering(line -> "{\"ok\":true,\"protocol\":1,\"state\":\"dancing\"}\n");
    assertThat(failureOf(client::describe)).hasMessageContaining("in the state \"dancing\"");
  }

  @Test
  void aWorkloadThatDoesNotAnswerIsNotWaitedForForEver() throws IOException {
    workload.answering(line -> "");
    try (WorkloadSocket impatient = new WorkloadSocket(socket, 4096, Duration.ofMillis(100))) {
      WorkloadException failure = failureOf(() -> impatient.pause("uid/1"));
      assertThat(failure.errno()).as("ETIMEDOUT").isEqualTo(110);
      assertThat(failure).hasMessageContaining("did not answer \"pause\" within 100 ms");
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

  @Test
  void aWorkloadThatIsNotThereIsAnError() {
    try (WorkloadSocket lost =
        new WorkloadSocket(folder.resolve("none.workload.sock"), 4096, LONG)) {
      WorkloadException failure = failureOf(lost::windows);
      assertThat(failure.errno()).as("ENOENT").isEqualTo(2);
      assertThat(failure).hasMessageContaining("none.workload.sock");
    }
  }

  /** Bytes that come one by one, each in time, make no answer that is in time. */
  @Test
  void aRequestHasOneLimitHoweverTheAnswerComes() throws Exception {
    CountDownLatch over = new CountDownLatch(1);
    AtomicInteger sent = new AtomicInteger();
    Path trickling = folder.resolve("trickling.workload.sock");
    try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      listener.bind(UnixDomainSocketAddress.of(trickling));
      Thread server =
          new Thread(
              () -> {
                try (SocketChannel peer = listener.accept()) {
                  while (!over.await(250, TimeUnit.MILLISECONDS)) {
                    peer.write(ByteBuffer.wrap(new byte[] {' '}));
                    sent.incrementAndGet();
                  }
                } catch (IOException | InterruptedException ended) {
                  over.countDown();
                }
              });
      server.start();
      try (WorkloadSocket asking = new WorkloadSocket(trickling, 4096, Duration.ofMillis(400))) {
        WorkloadException failure = failureOf(asking::describe);
        assertThat(failure).hasMessageContaining("did not answer \"describe\" within 400 ms");
        assertThat(sent).as("at 250 ms; the next would be at 500").hasValueLessThanOrEqualTo(1);
      } finally {
        over.countDown();
        server.join(10_000);
      }
    }
  }
}
