package dev.vfio.migration.vfio.transfer;

import static dev.vfio.migration.vfio.transfer.Beside.beside;
import static dev.vfio.migration.vfio.transfer.Beside.done;
import static dev.vfio.migration.vfio.transfer.TransferFixture.LONG;
import static dev.vfio.migration.vfio.transfer.TransferFixture.MIGRATION;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.transfer.WaitingProgram.Running;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * An agent that was restarted takes back, from the process that received the device, all that an
 * earlier agent gave it: a second workload gets the device whole where the first ends.
 */
@Timeout(120)
class RegainedTest {
  private static final String LOADED = "what was loaded";

  @TempDir Path folder;
  private TransferFixture fixture;
  private Running first;

  @BeforeEach
  void open() throws IOException {
    fixture = new TransferFixture(folder);
    fixture.listener().offer(StandInNode.ID);
    first = new Running(fixture.socket());
  }

  @AfterEach
  void close() throws InterruptedException {
    first.close();
    fixture.close();
  }

  /** The first workload has the device and a window, and waits to be told to take it. */
  private void received() throws Exception {
    fixture.openDevice();
    delivered();
  }

  private void delivered() throws Exception {
    assertThat(first.ask("wait")).isEqualTo("waits");
    KernelWorkload workload = fixture.workload(LONG);
    workload.prepareWindowMemory(List.of(new WindowShape("ring", 0, 4096)));
    Files.writeString(
        OpenFile.path(
            fixture.listener().windowMemories().of(StandInNode.ID).orElseThrow().memory().get(0)),
        LOADED);
    CompletableFuture<Void> deliver = beside(() -> workload.deliver(MIGRATION));
    assertThat(first.ask("hear")).isEqualTo("receive");
    assertThat(first.ask("ok")).isEqualTo("said");
    done(deliver);
  }

  /** As a session does that is recovered: the device is its holder's open file. */
  private KernelWorkload recovered() throws IOException {
    fixture.restartAgent();
    fixture.adoptDevice();
    KernelWorkload workload = fixture.workload(LONG);
    workload.regain(MIGRATION);
    return workload;
  }

  @Test
  void aSecondWorkloadGetsGroupAndMemoryWhereTheFirstEndsAfterARestart() throws Exception {
    received();
    KernelWorkload workload = recovered();
    first.kill();
    try (Running second = new Running(fixture.socket())) {
      assertThat(second.ask("wait")).isEqualTo("waits");
      CompletableFuture<Void> take = beside(() -> workload.take(MIGRATION));
      assertThat(second.ask("hear-all"))
          .contains("\"access\":\"group\"")
          .contains("[\"device\",\"group\",\"container\",\"window:ring\"]");
      assertThat(second.ask("name 1"))
          .isEqualTo(fixture.node.group(fixture.node.group()).toString());
      assertThat(second.ask("name 2")).isEqualTo(StandInNode.CONTAINER.toString());
      assertThat(second.ask("content 3")).isEqualTo(LOADED);
      assertThat(second.ask("ok")).isEqualTo("said");
      assertThat(second.ask("hear")).isEqualTo("take");
      assertThat(second.ask("ok")).isEqualTo("said");
      done(take);
      assertThat(fixture.holder().process()).isEqualTo(second.pid());
    }
  }

  @Test
  void aSecondWorkloadGetsIommufdAndAddressSpaceWhereTheDeviceHasANodeOfItsOwn() throws Exception {
    fixture.openDeviceByNode(7);
    // By this the stand-in is known for the device, which the kernel says of a node of its own.
    assertThat(first.ask("open " + fixture.node.group(fixture.node.group()))).isEqualTo("opened");
    delivered();
    KernelWorkload workload = recovered();
    first.kill();
    try (Running second = new Running(fixture.socket())) {
      assertThat(second.ask("wait")).isEqualTo("waits");
      CompletableFuture<Void> take = beside(() -> workload.take(MIGRATION));
      assertThat(second.ask("hear-all"))
          .contains("\"access\":\"cdev\"", "\"ioas\":7")
          .contains("[\"device\",\"iommufd\",\"window:ring\"]");
      assertThat(second.ask("name 1")).isEqualTo(StandInNode.IOMMUFD.toString());
      assertThat(second.ask("content 2")).isEqualTo(LOADED);
      assertThat(second.ask("ok")).isEqualTo("said");
      assertThat(second.ask("hear")).isEqualTo("take");
      assertThat(second.ask("ok")).isEqualTo("said");
      done(take);
    }
  }

  @Test
  void whatWasTakenBackIsFoundAgainInTheSecondByAThirdAgent() throws Exception {
    received();
    KernelWorkload workload = recovered();
    first.kill();
    try (Running second = new Running(fixture.socket())) {
      assertThat(second.ask("wait")).isEqualTo("waits");
      CompletableFuture<Void> deliver = beside(() -> workload.deliver(MIGRATION));
      assertThat(second.ask("hear")).isEqualTo("receive");
      assertThat(second.ask("ok")).isEqualTo("said");
      done(deliver);

      recovered();

      assertThat(regained()).as("all of it").isTrue();
      assertThat(second.ask("content 3")).isEqualTo(LOADED);
    }
  }

  /** Nothing is guessed; the first can take the device all the same. */
  @Test
  void aProcessWithTwoContainersKeepsWhatItHasAndTakesTheDevice() throws Exception {
    received();
    assertThat(first.ask("open " + StandInNode.CONTAINER)).isEqualTo("opened");
    KernelWorkload workload = recovered();
    assertThat(regained()).isFalse();
    assertThat(first.ask("hear")).isEqualTo("end");
    assertThat(first.ask("wait " + MIGRATION)).isEqualTo("waits");
    CompletableFuture<Void> take = beside(() -> workload.take(MIGRATION));
    assertThat(first.ask("hear")).isEqualTo("take");
    assertThat(first.ask("ok")).isEqualTo("said");
    done(take);
  }

  @Test
  void whereNothingCouldBeTakenBackASecondWorkloadIsNotGivenHalfOfIt() throws Exception {
    received();
    assertThat(first.ask("open " + StandInNode.CONTAINER)).isEqualTo("opened");
    KernelWorkload workload = recovered();
    first.kill();
    try (TestClient second = TestClient.waitAt(fixture.socket(), null)) {
      assertThatThrownBy(() -> workload.take(MIGRATION))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("this agent was restarted")
          .hasMessageContaining("could not be taken back from that before it ended");
      assertThat(second.descriptors()).isEmpty();
    }
  }

  /** Its number alone is not enough. */
  @Test
  void anotherProcessWithTheNumberOnRecordGivesNothing() throws Exception {
    received();
    TransferRecords records = fixture.listener().records();
    TransferRecord record = records.of(StandInNode.ID).orElseThrow();
    records.write(
        StandInNode.ID,
        new TransferRecord(
            MIGRATION, record.process(), record.startTime() - 1, record.stage(), record.given()));
    recovered();
    assertThat(regained()).isFalse();
  }

  @Test
  void whoWasToldToTakeTheDeviceIsTheOnlyOneThatEverGetsIt() throws Exception {
    received();
    TransferRecords records = fixture.listener().records();
    records.write(
        StandInNode.ID, records.of(StandInNode.ID).orElseThrow().at(TransferRecord.Stage.TOLD));
    recovered();
    assertThat(regained()).isFalse();
  }

  @Test
  void whatAnEarlierVersionDidNotNoteIsNotTakenBack() throws Exception {
    received();
    TransferRecords records = fixture.listener().records();
    TransferRecord record = records.of(StandInNode.ID).orElseThrow();
    records.write(
        StandInNode.ID,
        new TransferRecord(MIGRATION, record.process(), record.startTime(), record.stage()));
    recovered();
    assertThat(regained()).isFalse();
  }

  /** Closed with the session: the last close of a window's memory frees it. */
  @Test
  void whatWasTakenBackIsReleasedWithTheDevice() throws Exception {
    received();
    KernelWorkload workload = recovered();
    assertThat(regained()).isTrue();
    fixture.closeDevice();
    workload.close();
    assertThat(regained()).isFalse();
  }

  private boolean regained() {
    return fixture.listener().windowMemories().of(StandInNode.ID).isPresent();
  }
}
