package dev.vfio.migration.vfio.transfer;

import static dev.vfio.migration.vfio.transfer.Beside.beside;
import static dev.vfio.migration.vfio.transfer.Beside.done;
import static dev.vfio.migration.vfio.transfer.TransferFixture.LONG;
import static dev.vfio.migration.vfio.transfer.TransferFixture.MIGRATION;
import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.transfer.WaitingProgram.Running;
import dev.vfio.migration.vfio.workload.WindowShape;
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
    assertThat(first.ask("wait")).isEqualTo("waits");
    KernelWorkload workload = fixture.workload(LONG);
    workload.prepareWindowMemory(List.of(new WindowShape("ring", 0, 4096)));
    fixture.openDevice();
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
      assertThat(second.ask("name 1")).isEqualTo(fixture.node.group(fixture.node.group()).toString());
      assertThat(second.ask("name 2")).isEqualTo(StandInNode.CONTAINER.toString());
      assertThat(second.ask("content 3")).isEqualTo(LOADED);
      assertThat(second.ask("ok")).isEqualTo("said");
      assertThat(second.ask("hear")).isEqualTo("take");
      assertThat(second.ask("ok")).isEqualTo("said");
      done(take);
      assertThat(fixture.holder().process()).isEqualTo(second.pid());
    }
  }
}
