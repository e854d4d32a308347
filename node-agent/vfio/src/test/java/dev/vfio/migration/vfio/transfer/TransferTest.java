package dev.vfio.migration.vfio.transfer;

import static dev.vfio.migration.vfio.transfer.Beside.beside;
import static dev.vfio.migration.vfio.transfer.Beside.done;
import static dev.vfio.migration.vfio.transfer.TransferFixture.LONG;
import static dev.vfio.migration.vfio.transfer.TransferFixture.MIGRATION;
import static dev.vfio.migration.vfio.transfer.TransferFixture.SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.linux.DescriptorMessage;
import dev.vfio.migration.vfio.linux.OpenDescriptors;
import dev.vfio.migration.vfio.memory.WindowFile;
import dev.vfio.migration.vfio.transfer.WaitingProgram.Running;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.WorkloadDescription;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The waiting workload gets the very device and memory, says so, and takes it once. */
@Timeout(120)
class TransferTest {
  private static final List<WindowShape> SHAPES =
      List.of(new WindowShape("ring", 0, 8192), new WindowShape("heap", 1 << 20, 4096));

  @TempDir Path folder;
  private TransferFixture fixture;

  @BeforeEach
  void open() throws IOException {
    fixture = new TransferFixture(folder);
    fixture.listener().offer(StandInNode.ID);
  }

  @AfterEach
  void close() throws InterruptedException {
    fixture.close();
  }

  @Test
  void theWorkloadGetsTheVeryDeviceAndMemoryAndTakesItOnce() throws Exception {
    KernelWorkload workload = fixture.workload(LONG);
    try (Running program = waitingProgram()) {
      WorkloadDescription waiting = workload.prepareWindowMemory(SHAPES);
      assertThat(waiting.state()).isEqualTo(WorkloadState.WAITING);
      assertThat(waiting.workload()).isEqualTo("shop-db");
      assertThat(waiting.device()).isEqualTo(StandInNode.ID);
      assertThat(waiting.windows())
          .extracting(DmaWindow::name, DmaWindow::iova, DmaWindow::size)
          .containsExactly(tuple("ring", 0L, 8192L), tuple("heap", 1L << 20, 4096L));
      write(waiting.windows().get(1), "moved");
      fixture.openDevice();

      CompletableFuture<Void> receive = beside(() -> workload.deliver(MIGRATION));
      assertThat(new ObjectMapper().readTree(program.ask("hear-all")))
          .isEqualTo(
              new ObjectMapper()
                  .readTree(
                      """
                      {"op":"receive","migration":"uid-1/1","device":"0000:65:00.1",
                       "interface":"FEATURE_V2","access":"group",
                       "descriptors":["device","group","container","window:ring","window:heap"],
                       "windows":[{"name":"ring","iova":0,"size":8192,"descriptor":3},
                                  {"name":"heap","iova":1048576,"size":4096,"descriptor":4}]}
                      """));
      assertThat(receive).isNotDone();
      program.ask("ok");
      done(receive);
      assertThat(program.ask("count")).isEqualTo("5");
      assertThat(program.ask("name 0")).isEqualTo(fixture.node.deviceFile().toString());
      assertThat(program.ask("content 4")).isEqualTo("moved");

      workload.deliver(MIGRATION);
      CompletableFuture<Void> take = beside(() -> workload.take(MIGRATION));
      assertThat(program.ask("hear")).as("receiving again asked nothing").isEqualTo("take");
      program.ask("ok");
      done(take);
      assertThat(program.ask("hear")).as("one-shot").isEqualTo("end");
      assertThat(fixture.socket()).doesNotExist();
    }
    workload.close();
  }

  private Running waitingProgram() throws IOException {
    Running program = new Running(fixture.socket());
    assertThat(program.ask("wait")).isEqualTo("waits");
    return program;
  }

  private void received(Running program, CompletableFuture<Void> receive) throws Exception {
    assertThat(program.ask("hear")).isEqualTo("receive");
    program.ask("ok");
    done(receive);
  }

  private static void write(DmaWindow window, String text) throws IOException {
    try (WindowFile file = WindowFile.open(window, true)) {
      byte[] bytes = text.getBytes();
      file.write(0, ByteBuffer.allocateDirect(bytes.length).put(bytes).flip());
    }
  }

  @Test
  void afterARollbackItWaitsAgainAndNothingOfTheMemoryIsLeft() throws Exception {
    Map<String, Integer> before = OpenDescriptors.count(Path.of("/memfd:vfio-window"));
    KernelWorkload workload = fixture.workload(LONG);
    try (Running program = waitingProgram()) {
      workload.prepareWindowMemory(SHAPES);
      fixture.openDevice();
      received(program, beside(() -> workload.deliver(MIGRATION)));

      CompletableFuture<Void> back = beside(() -> workload.giveBack(MIGRATION));
      assertThat(program.ask("hear")).isEqualTo("give-back");
      program.ask("let-go");
      program.ask("ok");
      done(back);

      assertThat(workload.describe().state()).isEqualTo(WorkloadState.WAITING);
      assertThat(workload.describe().windows()).isEmpty();
      workload.giveBack(MIGRATION);
      assertThatThrownBy(() -> workload.deliver("uid-2/1"))
          .as("without memory for its windows")
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("the memory of its windows, loaded for the migration uid-2/1")
          .hasMessageContaining("Nothing was delivered");
      workload.prepareWindowMemory(List.of());
      CompletableFuture<Void> again = beside(() -> workload.deliver("uid-2/1"));
      assertThat(program.ask("hear-all"))
          .as("giving back again asked nothing")
          .contains("\"migration\":\"uid-2/1\"");
      program.ask("ok");
      done(again);
    }
    assertThat(without("socket", OpenDescriptors.count(Path.of("/memfd:vfio-window"))))
        .isEqualTo(without("socket", before));
  }

  private static Map<String, Integer> without(String kind, Map<String, Integer> counted) {
    counted.remove(kind);
    return counted;
  }

  @Test
  void memoryThatNobodyReceivedIsReleased() throws Exception {
    Map<String, Integer> before = OpenDescriptors.count(Path.of("/memfd:vfio-window"));
    KernelWorkload workload = fixture.workload(LONG);
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      workload.prepareWindowMemory(SHAPES);
      workload.prepareWindowMemory(SHAPES);
      workload.giveBack(MIGRATION);
      assertThat(client.descriptors()).isEmpty();
    }
    assertThat(without("socket", OpenDescriptors.count(Path.of("/memfd:vfio-window"))))
        .isEqualTo(without("socket", before));
  }

  @Test
  void memoryIsReleasedWhereNobodyCouldBeDescribed() throws Exception {
    Map<String, Integer> before = OpenDescriptors.count(Path.of("/memfd:vfio-window"));

    assertThatThrownBy(() -> fixture.workload(SHORT).prepareWindowMemory(SHAPES))
        .isInstanceOf(WorkloadException.class);

    assertThat(fixture.listener().windowMemories().of(StandInNode.ID)).isEmpty();
    assertThat(without("socket", OpenDescriptors.count(Path.of("/memfd:vfio-window"))))
        .isEqualTo(without("socket", before));
  }

  @Test
  void memoryOutlivesTheObjectWhileTheDeviceIsOpenAndNoLonger() throws Exception {
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      fixture.openDevice();
      KernelWorkload first = fixture.workload(LONG);
      first.prepareWindowMemory(SHAPES);
      first.close();
      assertThat(fixture.listener().windowMemories().of(StandInNode.ID))
          .as("the session goes on with another object")
          .isPresent();
      try (KernelWorkload inventory = fixture.workload(LONG)) {
        inventory.describe();
        KernelWorkload last = fixture.workload(LONG);
        last.prepareWindowMemory(SHAPES);
        fixture.closeDevice();
        inventory.close();
        assertThat(fixture.listener().windowMemories().of(StandInNode.ID))
            .as("an object that only looked releases nothing")
            .isPresent();
        last.close();
      }
      assertThat(fixture.listener().windowMemories().of(StandInNode.ID)).isEmpty();
      assertThat(client.descriptors()).isEmpty();
    }
  }

  @Test
  void aTimeoutOfNoTimeIsNotNamed() {
    assertThatThrownBy(() -> fixture.workload(Duration.ZERO).describe())
        .hasMessageContaining("nobody waits for it at " + fixture.socket() + ". Start");
  }

  @Test
  void givingBackWhatNobodyReceivedWaitsForNobodyAndLeavesTheHolderAlone() throws Exception {
    fixture.listener().withdraw(StandInNode.ID);
    StandInNode.Child stranger = fixture.node.startHolder();
    fixture.listener().windowMemories().make(StandInNode.ID, SHAPES);

    fixture.workload(LONG).giveBack(MIGRATION);

    assertThat(fixture.listener().windowMemories().of(StandInNode.ID)).isEmpty();
    assertThat(fixture.listener().offered()).as("nobody is invited").isEmpty();
    assertThat(stranger.lives()).isTrue();
  }

  @Test
  void whereNobodyWaitsThatIsSaid() {
    assertThatThrownBy(() -> fixture.workload(SHORT).prepareWindowMemory(SHAPES))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("nobody uses the device 0000:65:00.1")
        .hasMessageContaining("nobody waits for it at " + fixture.socket());
  }

  @Test
  void aWorkloadThatComesInTimeIsWaitedFor() throws Exception {
    CompletableFuture<WorkloadDescription> description =
        beside(() -> fixture.workload(LONG).prepareWindowMemory(List.of()));

    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      assertThat(done(description).state()).isEqualTo(WorkloadState.WAITING);
      assertThat(client.descriptors()).isEmpty();
    }
  }

  @Test
  void aWorkloadThatRefusesIsQuotedAndMayBeAskedAgain() throws Exception {
    KernelWorkload workload = fixture.workload(LONG);
    fixture.openDevice();
    try (Running program = waitingProgram()) {
      CompletableFuture<Void> receive = beside(() -> workload.deliver(MIGRATION));
      assertThat(program.ask("hear")).isEqualTo("receive");
      program.ask("let-go");
      program.ask("refuse");

      assertThatThrownBy(() -> done(receive))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(12))
          .hasMessageContaining("refused \"receive\" of the device 0000:65:00.1")
          .hasMessageContaining("cannot map ring, ENOMEM (12)");
      received(program, beside(() -> workload.deliver(MIGRATION)));
    }
  }

  @Test
  void aWorkloadThatNeverAnswersIsDisconnected() throws Exception {
    fixture.openDevice();
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      assertThatThrownBy(() -> fixture.workload(LONG, SHORT).deliver(MIGRATION))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(110))
          .hasMessageContaining("did not answer \"receive\" within 300 ms")
          .hasMessageContaining("is not known");

      assertThat(client.next().path("op").asText()).isEqualTo("receive");
      assertThat(client.next()).isNull();
    }
  }

  @Test
  void aWorkloadThatAnswersNonsenseIsDisconnected() throws Exception {
    fixture.openDevice();
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      CompletableFuture<Void> receive = beside(() -> fixture.workload(LONG).deliver(MIGRATION));
      client.next();
      client.say("sure");

      assertThatThrownBy(() -> done(receive))
          .hasMessageContaining("against the protocol")
          .hasMessageContaining("sure");
      assertThat(client.next()).isNull();
    }
  }

  @Test
  void aWorkloadThatDiesInsteadOfAnsweringIsNamed() throws Exception {
    fixture.openDevice();
    TestClient client = TestClient.waitAt(fixture.socket(), null);
    CompletableFuture<Void> receive = beside(() -> fixture.workload(LONG).deliver(MIGRATION));
    client.next();
    client.close();

    assertThatThrownBy(() -> done(receive))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("is gone, asked for \"receive\"");
  }

  @Test
  void aDeviceThatIsNotOpenHereIsNotHandedOver() throws Exception {
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      assertThatThrownBy(() -> fixture.workload(LONG).deliver(MIGRATION))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(19))
          .hasMessageContaining("Nothing was delivered");
      assertThat(client.descriptors()).isEmpty();
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {251, 300, 1024})
  void moreWindowsThanOneMessageCarriesAreRefusedInWords(int count) throws Exception {
    List<WindowShape> many =
        IntStream.range(0, count).mapToObj(i -> new WindowShape("w" + i, i * 4096L, 4096)).toList();
    fixture.openDevice();
    KernelWorkload workload = fixture.workload(LONG);
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      // Before anything is loaded.
      assertThatThrownBy(() -> workload.prepareWindowMemory(many))
          .hasMessageContaining(count + 3 + " file descriptors, and one message carries 253");
      assertThat(client.descriptors()).isEmpty();
    }
  }

  /** Known while the source runs: it is not first told once the source stands still. */
  @Test
  void whoCouldNotHaveTheDeviceIsRefusedBeforeAnythingIsLoaded() throws Exception {
    String another = "/dev/pts/" + fixture.node.addOtherCharacterDevice();
    fixture.openDevice();
    KernelWorkload workload = fixture.workload(LONG);
    try (Running program = waitingProgram()) {
      program.ask("open " + another);
      assertThatThrownBy(() -> workload.prepareWindowMemory(SHAPES))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(16))
          .hasMessageContaining("waits for the device 0000:65:00.1 and cannot be given it")
          .hasMessageContaining("holds 1 other VFIO devices")
          .hasMessageContaining("Nothing was done to the device");
      assertThat(fixture.listener().windowMemories().of(StandInNode.ID)).isEmpty();
      assertThat(fixture.listener().waiting(StandInNode.ID)).as("waits on").contains("shop-db");
    }
  }

  /** The workload would find out in the pause, when it maps its windows. */
  @Test
  void windowsWhereTheIommuTakesNoMappingAreRefusedBeforeAnythingIsLoaded() throws Exception {
    Path group = Files.createDirectories(fixture.device.sysfs().resolve("iommu_group"));
    Files.writeString(
        group.resolve("reserved_regions"),
        """
        0x0000000000001000 0x0000000000001fff direct-relaxable
        0x00000000fee00000 0x00000000feefffff msi
        0x000000fd00000000 0x000000ffffffffff reserved
        """);
    fixture.openDevice();
    KernelWorkload workload = fixture.workload(LONG);
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      for (long iova : new long[] {0xfee00000L, 0xfedff000L, 0xfeeff000L, 0xfd00000000L}) {
        WindowShape ring = new WindowShape("ring", iova, 8192);
        assertThatThrownBy(() -> workload.prepareWindowMemory(List.of(ring)))
            .isInstanceOf(WorkloadException.class)
            .hasMessageContaining("window ring")
            .hasMessageContaining("IOMMU takes no mapping")
            .hasMessageContaining("Nothing was done to the device");
      }
      for (long iova : new long[] {0x1000, 0xfeddf000L, 0xfef00000L}) {
        workload.prepareWindowMemory(List.of(new WindowShape("ring", iova, 8192)));
      }
      assertThat(client.descriptors()).isEmpty();
    }
  }

  /** As many windows as one message carries, with the longest names and numbers. */
  @Test
  void theLargestRequestThatIsAllowedFitsIntoOneLine() throws Exception {
    long top = Long.MAX_VALUE - (1L << 21);
    List<WindowShape> many =
        IntStream.range(0, 250)
            .mapToObj(
                i -> new WindowShape("w".repeat(60) + (100 + i), top - i * 4096L & -4096L, 4096))
            .toList();
    fixture.openDevice();
    try (DeviceWindowMemory memory = DeviceWindowMemory.of(many)) {
      WorkloadRequest request =
          WorkloadRequest.toReceive(
              StandInNode.ID, "a".repeat(64) + "/2147483647", fixture.opened(), memory);
      assertThat(request.descriptors()).hasSize(DescriptorMessage.MAX_DESCRIPTORS);
      assertThat((request.text() + "\n").getBytes(StandardCharsets.UTF_8))
          .hasSizeLessThanOrEqualTo(LineConnection.MAX_LINE_BYTES);
    }
  }

  /** Left by whoever had the folder before; found out before the source stands still. */
  @Test
  void anEarlierDeclarationThatCannotBeRemovedIsSaidBeforeAnythingIsLoaded() throws Exception {
    Files.createDirectories(fixture.memoryFile().resolve("not-empty"));
    fixture.openDevice();
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      assertThatThrownBy(() -> fixture.workload(LONG).prepareWindowMemory(List.of()))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining(fixture.memoryFile() + " is a directory")
          .hasMessageContaining("Remove it");
      Files.delete(fixture.memoryFile().resolve("not-empty"));
      fixture.workload(LONG).prepareWindowMemory(List.of());
      assertThat(fixture.memoryFile()).doesNotExist();
    }
  }

  @Test
  void anEarlierDeclarationOfMemoryIsRemovedBeforeTheDeviceIsHandedOver() throws Exception {
    Files.writeString(fixture.memoryFile(), "{\"protocol\":1,\"windows\":[]}");
    fixture.openDevice();
    try (Running program = waitingProgram()) {
      CompletableFuture<Void> receive = beside(() -> fixture.workload(LONG).deliver(MIGRATION));
      assertThat(program.ask("hear")).isEqualTo("receive");
      assertThat(fixture.memoryFile()).doesNotExist();
      program.ask("ok");
      done(receive);
    }
  }

  @Test
  void whoSaysThatItReceivedTheDeviceAndDoesNotHoldItIsRefused() throws Exception {
    fixture.openDevice();
    // This process's own descriptors do not count, as the agent's do not.
    try (TestClient client = TestClient.waitAt(fixture.socket(), null)) {
      CompletableFuture<Void> receive = beside(() -> fixture.workload(LONG).deliver(MIGRATION));
      client.next();
      client.ok();
      assertThat(client.next().path("op").asText()).isEqualTo("give-back");
      client.ok();

      assertThatThrownBy(() -> done(receive))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("that process does not hold it")
          .hasMessageContaining("It gave it back");
      assertThat(fixture.listener().records().of(StandInNode.ID)).isEmpty();
    }
  }

  @Test
  void whoCouldNotBeMovedAgainIsRefusedBeforeTheMigrationIsDecided() throws Exception {
    String another = "/dev/pts/" + fixture.node.addOtherCharacterDevice();
    fixture.openDevice();
    KernelWorkload workload = fixture.workload(LONG);
    try (Running program = waitingProgram()) {
      program.ask("open " + another);
      CompletableFuture<Void> receive = beside(() -> workload.deliver(MIGRATION));
      assertThat(program.ask("hear")).isEqualTo("receive");
      program.ask("ok");
      assertThat(program.ask("hear")).isEqualTo("give-back");
      program.ask("let-go");
      program.ask("ok");

      assertThatThrownBy(() -> done(receive))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(16))
          .hasMessageContaining("cannot be given the device 0000:65:00.1 for the migration uid-1/1")
          .hasMessageContaining("holds 1 other VFIO devices")
          .hasMessageContaining("did not use it");
      assertThat(fixture.listener().records().of(StandInNode.ID)).isEmpty();
      assertThat(fixture.listener().waiting(StandInNode.ID)).as("waits on").contains("shop-db");

      received(program, beside(() -> workload.deliver(MIGRATION)));
    }
  }

  @Test
  void whoKeepsWhatItCannotHaveIsNamedAndStillKnownToHoldIt() throws Exception {
    String another = "/dev/pts/" + fixture.node.addOtherCharacterDevice();
    fixture.openDevice();
    try (Running program = waitingProgram()) {
      program.ask("open " + another);
      CompletableFuture<Void> receive = beside(() -> fixture.workload(LONG).deliver(MIGRATION));
      assertThat(program.ask("hear")).isEqualTo("receive");
      program.ask("ok");
      assertThat(program.ask("hear")).isEqualTo("give-back");
      program.ask("leave");

      assertThatThrownBy(() -> done(receive))
          .hasMessageContaining("holds 1 other VFIO devices")
          .hasMessageContaining("is gone, asked for \"give-back\"");
      assertThat(fixture.listener().records().of(StandInNode.ID)).isPresent();
    }
  }

  @Test
  void onceItRunsNothingElseOfItMatters() throws Exception {
    String another = "/dev/pts/" + fixture.node.addOtherCharacterDevice();
    fixture.openDevice();
    KernelWorkload workload = fixture.workload(LONG);
    try (Running program = waitingProgram()) {
      received(program, beside(() -> workload.deliver(MIGRATION)));
      program.ask("open " + another);
      Files.writeString(fixture.memoryFile(), "{\"protocol\":");
      CompletableFuture<Void> take = beside(() -> workload.take(MIGRATION));
      assertThat(program.ask("hear")).isEqualTo("take");
      program.ask("ok");
      done(take);

      assertThat(workload.state()).isEqualTo(WorkloadState.RUNNING);
      assertThatThrownBy(workload::describe).hasMessageContaining("and 1 other VFIO devices");
    }
    assertThatThrownBy(workload::state).hasMessageContaining("has ended since");
  }
}
