package dev.vfio.migration.vfio.transfer;

import static dev.vfio.migration.vfio.transfer.TransferFixture.LONG;
import static dev.vfio.migration.vfio.transfer.TransferFixture.MIGRATION;
import static dev.vfio.migration.vfio.transfer.TransferFixture.SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.transfer.WaitingProgram.Running;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A workload of its own process holds the loaded device and was not told to use it: whatever ends
 * then, it is known to wait, or another one gets the device.
 */
@Timeout(120)
class BetweenDeliverAndTakeTest {

  @TempDir Path folder;
  private TransferFixture scene;
  private Running program;

  @BeforeEach
  void open() throws IOException {
    scene = new TransferFixture(folder);
    scene.desk().offer(StandInNode.ID);
    program = new Running(scene.socket());
  }

  @AfterEach
  void close() throws InterruptedException {
    program.close();
    scene.close();
  }

  private interface Step {
    void run() throws IOException;
  }

  private static CompletableFuture<Void> beside(Step step) {
    return CompletableFuture.runAsync(
        () -> {
          try {
            step.run();
          } catch (IOException failure) {
            throw new UncheckedIOException(failure);
          }
        });
  }

  private static void done(CompletableFuture<Void> work) throws Exception {
    work.get(60, TimeUnit.SECONDS);
  }

  private void received() throws Exception {
    assertThat(program.ask("wait")).isEqualTo("waits");
    KernelWorkload workload = scene.workload(LONG);
    workload.accommodate(List.of(new WindowShape("ring", 0, 4096)));
    scene.openDevice();
    CompletableFuture<Void> receive = beside(() -> workload.receive(MIGRATION));
    assertThat(program.ask("hear")).isEqualTo("receive");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(receive);
  }

  private void taken(KernelWorkload workload) throws Exception {
    CompletableFuture<Void> take = beside(() -> workload.take(MIGRATION));
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(take);
  }

  @Test
  void aHolderThatReceivedTheDeviceWaitsUntilItTookIt() throws Exception {
    received();
    assertThat(scene.holder().process()).isEqualTo(program.pid());
    assertThat(scene.desk().waits(scene.holder())).isTrue();
    assertThat(scene.desk().received(scene.holder(), MIGRATION)).isTrue();
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.WAITING);

    taken(scene.workload(LONG));

    scene.closeDevice();
    assertThat(scene.holder().process()).as("the device lives on in it").isEqualTo(program.pid());
    assertThat(scene.desk().waits(scene.holder())).isFalse();
    assertThat(scene.desk().received(scene.holder(), MIGRATION)).as("kept").isTrue();
    assertThat(scene.desk().received(scene.holder(), "uid-2/1")).as("of another").isFalse();
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
    // As a session does that could not note it: nothing is asked, nothing changes.
    scene.workload(LONG).take(MIGRATION);
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
    assertThatThrownBy(() -> scene.workload(SHORT).take("uid-2/1"))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("which did not receive it for the migration uid-2/1");
  }

  @Test
  void anAgentThatComesBackAfterItTookFindsThatItDid() throws Exception {
    received();
    taken(scene.workload(LONG));

    scene.restartAgent();

    assertThat(scene.desk().received(scene.holder(), MIGRATION)).isTrue();
    KernelWorkload workload = scene.workload(LONG);
    workload.take(MIGRATION);
    assertThat(workload.state()).isEqualTo(WorkloadState.RUNNING);
    assertThat(scene.socket()).as("good for one workload").doesNotExist();
  }

  @Test
  void whatDiedAfterItTookIsToldAndNobodyElseGetsTheDevice() throws Exception {
    received();
    taken(scene.workload(LONG));
    program.kill();
    scene.desk().offer(StandInNode.ID);

    try (TestClient hopeful = TestClient.waitAt(scene.socket(), null)) {
      KernelWorkload workload = scene.workload(LONG);
      workload.take(MIGRATION);
      assertThatThrownBy(workload::describe)
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
          .hasMessageContaining("process " + program.pid() + " took the device 0000:65:00.1")
          .hasMessageContaining("has ended since");
      assertThat(hopeful.descriptors()).isEmpty();

      scene.closeDevice();
      scene.workload(LONG).accommodate(List.of());
      assertThat(scene.desk().records().of(StandInNode.ID))
          .as("another migration begins")
          .isEmpty();
    }
  }

  @Test
  void aHolderOfAnotherMigrationsReceiptDidNotReceiveItForThisOne() throws Exception {
    received();
    assertThat(scene.desk().received(scene.holder(), MIGRATION)).as("not told yet").isTrue();
    assertThat(scene.desk().received(scene.holder(), "uid-2/1")).isFalse();
    assertThatThrownBy(() -> scene.workload(LONG).receive("uid-2/1"))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("holds it for the migration uid-1/1");

    program.kill();
    scene.closeDevice();
    scene.node.startHolder();

    assertThat(scene.desk().received(scene.holder(), MIGRATION)).as("another process").isFalse();
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void aPromiseThatWasNotKeptIsNoReceipt() throws Exception {
    assertThat(program.ask("wait")).isEqualTo("waits");
    long started = scene.holders.processes().startTime(program.pid()).orElseThrow();
    scene
        .desk()
        .records()
        .write(
            new TransferRecords.TransferRecord(
                StandInNode.ID, MIGRATION, program.pid(), started, TransferRecords.Stage.PROMISED));
    scene.restartAgent();

    scene.workload(LONG).giveBack(MIGRATION);

    assertThat(scene.desk().records().of(StandInNode.ID)).isEmpty();
  }

  @Test
  void whatWasTakenIsNotTakenBack() throws Exception {
    received();
    taken(scene.workload(LONG));

    assertThatThrownBy(() -> scene.workload(LONG).giveBack(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + program.pid() + " took the device 0000:65:00.1")
        .hasMessageContaining("end it first");
  }

  @Test
  void anAgentThatComesBackKnowsThatItWaitsAndLetsItTake() throws Exception {
    received();

    scene.restartAgent();

    assertThat(scene.desk().waits(scene.holder())).as("before it has come back").isTrue();
    assertThat(scene.desk().received(scene.holder(), MIGRATION)).isTrue();
    assertThatThrownBy(() -> scene.workload(SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + program.pid() + " received the device 0000:65:00.1")
        .hasMessageContaining("did not connect again to " + scene.socket());
    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    scene.workload(LONG).receive(MIGRATION);
    taken(scene.workload(LONG));
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void whatItSaysIsEnoughWhereTheAgentsReceiptIsLost() throws Exception {
    received();
    scene.restartAgent();
    scene.desk().records().remove(StandInNode.ID);
    assertThat(scene.desk().waits(scene.holder())).isFalse();

    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");

    assertThat(scene.desk().waits(scene.holder())).isTrue();
    assertThat(scene.desk().received(scene.holder(), MIGRATION)).isTrue();
    assertThat(scene.desk().received(scene.holder(), "uid-2/1")).isFalse();
    taken(scene.workload(LONG));
  }

  @Test
  void aHolderThatWaitsIsFoundAndOneThatDiedIsNot() throws Exception {
    received();
    KernelWorkload workload = scene.workload(LONG);
    workload.requireWaiting(MIGRATION);
    workload.requireWaiting(MIGRATION);
    program.kill();
    assertThatThrownBy(() -> workload.requireWaiting(MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
        .hasMessageContaining("process " + program.pid())
        .hasMessageContaining("has ended before it was told to take it");
  }

  /** It may come back, so that is no death; it cannot be told to take the device meanwhile. */
  @Test
  void aHolderThatLivesAndIsNotConnectedIsMissedUntilItIsBack() throws Exception {
    received();
    scene.restartAgent();
    KernelWorkload workload = scene.workload(LONG);
    assertThatThrownBy(() -> workload.requireWaiting(MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(110))
        .hasMessageContaining("is not connected to " + scene.socket());
    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    workload.requireWaiting(MIGRATION);
    program.kill();
    assertThatThrownBy(() -> workload.requireWaiting(MIGRATION))
        .hasMessageContaining("has ended before it was told to take it");
  }

  @Test
  void oneThatReceivedTheDeviceForAnotherMigrationDoesNotWaitForThisOne() throws Exception {
    received();
    assertThatThrownBy(() -> scene.workload(LONG).requireWaiting("uid-2/1"))
        .isInstanceOf(WorkloadException.class);
  }

  @Test
  void whenItDiesAnotherOneThatWaitsGetsTheDeviceAndTakesIt() throws Exception {
    received();
    program.kill();
    assertThat(scene.holders.of(scene.node.device())).isEmpty();

    try (Running second = new Running(scene.socket())) {
      CompletableFuture<Void> take = beside(() -> scene.workload(LONG).take(MIGRATION));
      assertThat(second.ask("wait")).isEqualTo("waits");
      assertThat(second.ask("hear")).isEqualTo("receive");
      assertThat(second.ask("ok")).isEqualTo("said");
      assertThat(second.ask("hear")).isEqualTo("take");
      assertThat(second.ask("ok")).isEqualTo("said");
      done(take);
      assertThat(scene.holder().process()).isEqualTo(second.pid());
    }
  }

  @Test
  void whenItDiesAndNobodyElseWaitsThatIsSaid() throws Exception {
    received();
    program.kill();

    assertThatThrownBy(() -> scene.workload(SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + program.pid() + " was handed the device 0000:65:00.1")
        .hasMessageContaining("for the migration uid-1/1 and is gone")
        .hasMessageContaining("nobody else waits for it at");
    assertThatThrownBy(() -> scene.workload(SHORT).describe())
        .hasMessageContaining("for the migration uid-1/1 and is gone");
    // Nothing to be taken back from the dead.
    scene.workload(LONG).giveBack(MIGRATION);
    assertThat(scene.desk().records().of(StandInNode.ID)).isEmpty();
  }

  @Test
  void whenItsAnswerIsLostItCountsAsHavingTakenIt() throws Exception {
    received();
    assertThatThrownBy(() -> scene.workload(LONG, SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("did not answer \"take\"");
    assertThat(tookIt()).isFalse();
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(scene.desk().received(scene.holder(), MIGRATION)).as("told").isTrue();
    assertThat(scene.workload(LONG).state())
        .as("one that was told is the owner")
        .isEqualTo(WorkloadState.RUNNING);

    scene.workload(SHORT).take(MIGRATION);

    assertThat(tookIt()).isTrue();
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  private boolean tookIt() throws IOException {
    return scene.desk().records().of(StandInNode.ID).orElseThrow().taken();
  }

  @Test
  void whenItNeverHeardThatItShouldTakeItIsToldAgain() throws Exception {
    received();
    assertThatThrownBy(() -> scene.workload(LONG, SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class);

    CompletableFuture<Void> take = beside(() -> scene.workload(LONG).take(MIGRATION));
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(take);
  }

  @Test
  void whatWasToldToTakeAndDiedMayHaveUsedTheDeviceSoThatNobodyElseGetsIt() throws Exception {
    received();
    assertThatThrownBy(() -> scene.workload(LONG, SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class);
    assertThat(program.ask("hear")).isEqualTo("take");
    program.kill();

    try (TestClient hopeful = TestClient.waitAt(scene.socket(), null)) {
      assertThatThrownBy(() -> scene.workload(SHORT, SHORT).take(MIGRATION))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
          .hasMessageContaining("process " + program.pid() + " was told to take the device")
          .hasMessageContaining("handed to nobody else");
      assertThat(scene.desk().waiting(StandInNode.ID)).as("was asked nothing").isPresent();
      assertThat(hopeful.descriptors()).isEmpty();
    }
  }

  private TransferRecords.Stage stage() throws IOException {
    return scene.desk().records().of(StandInNode.ID).orElseThrow().stage();
  }

  @Test
  void whatCouldNotBeSentItWasNotTold() throws Exception {
    received();
    Delivery delivery = scene.delivery();

    assertThatThrownBy(
            () ->
                scene
                    .desk()
                    .with(
                        StandInNode.ID,
                        LONG,
                        anybody -> true,
                        workload -> {
                          program.ask("leave");
                          delivery.tellToTake(workload, MIGRATION);
                          return null;
                        }))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("is gone, asked for \"take\"");

    assertThat(stage()).isEqualTo(TransferRecords.Stage.DELIVERED);
    assertThatThrownBy(() -> scene.workload(SHORT).take(MIGRATION))
        .as("it holds the device and does not know")
        .hasMessageContaining("did not connect again to " + scene.socket());
  }

  @Test
  void whatOnlyCountsAsHavingTakenItIsToldWhenItComesBack() throws Exception {
    received();
    // As after a crash before the message was sent: it never hears of it.
    TransferRecords receipts = scene.desk().records();
    receipts.write(receipts.of(StandInNode.ID).orElseThrow().at(TransferRecords.Stage.TOLD));
    scene.restartAgent();
    assertThat(program.ask("hear")).isEqualTo("end");
    scene.workload(SHORT).take(MIGRATION);
    assertThat(stage()).isEqualTo(TransferRecords.Stage.PRESUMED);
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
    scene.workload(SHORT).take(MIGRATION);
    scene.restartAgent();

    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(program.ask("ok")).isEqualTo("said");
    assertThat(program.ask("hear")).as("one-shot").isEqualTo("end");

    assertThat(stage()).isEqualTo(TransferRecords.Stage.TAKEN);
    assertThat(scene.desk().offered()).isEmpty();
    assertThat(scene.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void anotherOneThatWaitsDoesNotGetWhatTheFirstHolds() throws Exception {
    received();
    scene.restartAgent();
    try (TestClient hopeful = TestClient.waitAt(scene.socket(), null)) {
      assertThatThrownBy(() -> scene.workload(SHORT).take(MIGRATION))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("process " + program.pid() + " received the device");
      assertThat(hopeful.descriptors()).isEmpty();
    }
  }

  @Test
  void afterARestartItGivesBackWhatItHolds() throws Exception {
    received();
    scene.restartAgent();
    assertThatThrownBy(() -> scene.workload(SHORT).giveBack(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("see whether it hangs");

    CompletableFuture<Void> back = beside(() -> scene.workload(LONG).giveBack(MIGRATION));
    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    assertThat(program.ask("hear")).isEqualTo("give-back");
    assertThat(program.ask("let-go")).isEqualTo("let go");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(back);

    assertThat(scene.holders.of(scene.node.device())).isEmpty();
    assertThat(scene.desk().waiting(StandInNode.ID)).contains("shop-db");
  }

  @Test
  void oneThatSaysThatItHoldsNothingHasNothingToGiveBack() throws Exception {
    assertThat(program.ask("wait")).isEqualTo("waits");
    scene.openDevice();
    assertThatThrownBy(() -> scene.workload(LONG, SHORT).receive(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("did not answer \"receive\"");

    CompletableFuture<Void> back = beside(() -> scene.workload(LONG).giveBack(MIGRATION));
    assertThat(program.ask("wait")).isEqualTo("waits");
    done(back);

    assertThat(scene.desk().records().of(StandInNode.ID)).isEmpty();
    assertThat(scene.desk().waiting(StandInNode.ID)).contains("shop-db");
  }
}
