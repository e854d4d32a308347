package dev.vfio.migration.vfio.transfer;

import static dev.vfio.migration.vfio.transfer.Beside.beside;
import static dev.vfio.migration.vfio.transfer.Beside.done;
import static dev.vfio.migration.vfio.transfer.TransferFixture.LONG;
import static dev.vfio.migration.vfio.transfer.TransferFixture.MIGRATION;
import static dev.vfio.migration.vfio.transfer.TransferFixture.SHORT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.holder.StandInNode;
import dev.vfio.migration.vfio.transfer.WaitingProgram.Running;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest;
import dev.vfio.migration.vfio.workload.WindowShape;
import dev.vfio.migration.vfio.workload.WorkloadException;
import dev.vfio.migration.vfio.workload.WorkloadState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
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
  private TransferFixture fixture;
  private Running program;

  @BeforeEach
  void open() throws IOException {
    fixture = new TransferFixture(folder);
    fixture.listener().offer(StandInNode.ID);
    program = new Running(fixture.socket());
  }

  @AfterEach
  void close() throws InterruptedException {
    program.close();
    fixture.close();
  }

  private void received() throws Exception {
    CompletableFuture<Void> deliver = sent();
    assertThat(program.ask("ok")).isEqualTo("said");
    done(deliver);
  }

  /** The device is with the workload, which has not answered yet. */
  private CompletableFuture<Void> sent() throws Exception {
    assertThat(program.ask("wait")).isEqualTo("waits");
    KernelWorkload workload = fixture.workload(LONG);
    workload.prepareWindowMemory(List.of(new WindowShape("ring", 0, 4096)));
    fixture.openDevice();
    CompletableFuture<Void> deliver = beside(() -> workload.deliver(MIGRATION));
    assertThat(program.ask("hear")).isEqualTo("receive");
    return deliver;
  }

  @Test
  void aWorkloadThatIsBeingAskedOutlivesItsSocketAndIsTakenForNoOtherOne() throws Exception {
    CompletableFuture<Void> deliver = sent();
    fixture.listener().withdraw(StandInNode.ID);
    fixture.listener().offer(StandInNode.ID);
    assertThatThrownBy(() -> TestClient.waitAt(fixture.socket(), null))
        .hasMessageContaining("another workload waits");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(deliver);
    taken(fixture.workload(LONG));
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
    assertThat(fixture.holder().process()).isEqualTo(program.pid());
    assertThat(fixture.listener().waits(fixture.holder())).isTrue();
    assertThat(fixture.listener().received(fixture.holder(), MIGRATION)).isTrue();
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.WAITING);

    taken(fixture.workload(LONG));

    fixture.closeDevice();
    assertThat(fixture.holder().process()).as("the device lives on in it").isEqualTo(program.pid());
    assertThat(fixture.listener().waits(fixture.holder())).isFalse();
    assertThat(fixture.listener().received(fixture.holder(), MIGRATION)).as("kept").isTrue();
    assertThat(fixture.listener().received(fixture.holder(), "uid-2/1")).as("of another").isFalse();
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
    // As a session does that could not note it: nothing is asked, nothing changes.
    fixture.workload(LONG).take(MIGRATION);
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
    assertThatThrownBy(() -> fixture.workload(SHORT).take("uid-2/1"))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("which did not receive it for the migration uid-2/1");
  }

  @Test
  void anAgentThatComesBackAfterItTookFindsThatItDid() throws Exception {
    received();
    taken(fixture.workload(LONG));

    fixture.restartAgent();

    assertThat(fixture.listener().received(fixture.holder(), MIGRATION)).isTrue();
    KernelWorkload workload = fixture.workload(LONG);
    workload.take(MIGRATION);
    assertThat(workload.state()).isEqualTo(WorkloadState.RUNNING);
    assertThat(fixture.socket()).as("good for one workload").doesNotExist();
  }

  @Test
  void whatDiedAfterItTookIsToldAndNobodyElseGetsTheDevice() throws Exception {
    received();
    taken(fixture.workload(LONG));
    program.kill();
    fixture.listener().offer(StandInNode.ID);

    try (TestClient hopeful = TestClient.waitAt(fixture.socket(), null)) {
      KernelWorkload workload = fixture.workload(LONG);
      workload.take(MIGRATION);
      assertThatThrownBy(workload::describe)
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
          .hasMessageContaining("process " + program.pid() + " took the device 0000:65:00.1")
          .hasMessageContaining("has ended since");
      assertThat(hopeful.descriptors()).isEmpty();

      fixture.closeDevice();
      fixture.workload(LONG).prepareWindowMemory(List.of());
      assertThat(fixture.listener().records().of(StandInNode.ID))
          .as("another migration begins")
          .isEmpty();
    }
  }

  @Test
  void aHolderOfAnotherMigrationsRecordDidNotReceiveItForThisOne() throws Exception {
    received();
    assertThat(fixture.listener().received(fixture.holder(), MIGRATION))
        .as("not told yet")
        .isTrue();
    assertThat(fixture.listener().received(fixture.holder(), "uid-2/1")).isFalse();
    assertThatThrownBy(() -> fixture.workload(LONG).deliver("uid-2/1"))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("holds it for the migration uid-1/1");

    program.kill();
    fixture.closeDevice();
    fixture.node.startHolder();

    assertThat(fixture.listener().received(fixture.holder(), MIGRATION))
        .as("another process")
        .isFalse();
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void aPromiseThatWasNotKeptIsNoRecord() throws Exception {
    assertThat(program.ask("wait")).isEqualTo("waits");
    long started = fixture.holders.processes().startTime(program.pid()).orElseThrow();
    fixture
        .listener()
        .records()
        .write(
            StandInNode.ID,
            new TransferRecord(MIGRATION, program.pid(), started, TransferRecord.Stage.PROMISED));
    fixture.restartAgent();

    fixture.workload(LONG).giveBack(MIGRATION);

    assertThat(fixture.listener().records().of(StandInNode.ID)).isEmpty();
  }

  @Test
  void whatWasTakenIsNotTakenBack() throws Exception {
    received();
    taken(fixture.workload(LONG));

    assertThatThrownBy(() -> fixture.workload(LONG).giveBack(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + program.pid() + " took the device 0000:65:00.1")
        .hasMessageContaining("end it first");
  }

  @Test
  void anAgentThatComesBackKnowsThatItWaitsAndLetsItTake() throws Exception {
    received();

    fixture.restartAgent();

    assertThat(fixture.listener().waits(fixture.holder())).as("before it has come back").isTrue();
    assertThat(fixture.listener().received(fixture.holder(), MIGRATION)).isTrue();
    assertThatThrownBy(() -> fixture.workload(SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + program.pid() + " received the device 0000:65:00.1")
        .hasMessageContaining("did not connect again to " + fixture.socket());
    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    fixture.workload(LONG).deliver(MIGRATION);
    taken(fixture.workload(LONG));
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void whatItSaysIsEnoughWhereTheAgentsRecordIsLost() throws Exception {
    received();
    fixture.restartAgent();
    fixture.listener().records().remove(StandInNode.ID);
    assertThat(fixture.listener().waits(fixture.holder())).isFalse();

    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");

    assertThat(fixture.listener().waits(fixture.holder())).isTrue();
    assertThat(fixture.listener().received(fixture.holder(), MIGRATION)).isTrue();
    assertThat(fixture.listener().received(fixture.holder(), "uid-2/1")).isFalse();
    taken(fixture.workload(LONG));
  }

  @Test
  void aHolderThatWaitsIsFoundAndOneThatDiedIsNot() throws Exception {
    received();
    KernelWorkload workload = fixture.workload(LONG);
    workload.requireReadyToTake(MIGRATION);
    workload.requireReadyToTake(MIGRATION);
    program.kill();
    assertThatThrownBy(() -> workload.requireReadyToTake(MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
        .hasMessageContaining("process " + program.pid())
        .hasMessageContaining("has ended before it was told to take it");
  }

  /** It may come back, so that is no death; it cannot be told to take the device meanwhile. */
  @Test
  void aHolderThatLivesAndIsNotConnectedIsMissedUntilItIsBack() throws Exception {
    received();
    fixture.restartAgent();
    KernelWorkload workload = fixture.workload(LONG);
    assertThatThrownBy(() -> workload.requireReadyToTake(MIGRATION))
        .isInstanceOfSatisfying(
            WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(110))
        .hasMessageContaining("is not connected to " + fixture.socket());
    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    workload.requireReadyToTake(MIGRATION);
    program.kill();
    assertThatThrownBy(() -> workload.requireReadyToTake(MIGRATION))
        .hasMessageContaining("has ended before it was told to take it");
  }

  @Test
  void oneThatReceivedTheDeviceForAnotherMigrationDoesNotWaitForThisOne() throws Exception {
    received();
    assertThatThrownBy(() -> fixture.workload(LONG).requireReadyToTake("uid-2/1"))
        .isInstanceOf(WorkloadException.class);
  }

  @Test
  void whenItDiesAnotherOneThatWaitsGetsTheDeviceAndTakesIt() throws Exception {
    received();
    program.kill();
    assertThat(fixture.holders.of(fixture.node.device())).isEmpty();

    try (Running second = new Running(fixture.socket())) {
      CompletableFuture<Void> take = beside(() -> fixture.workload(LONG).take(MIGRATION));
      assertThat(second.ask("wait")).isEqualTo("waits");
      assertThat(second.ask("hear")).isEqualTo("receive");
      assertThat(second.ask("ok")).isEqualTo("said");
      assertThat(second.ask("hear")).isEqualTo("take");
      assertThat(second.ask("ok")).isEqualTo("said");
      done(take);
      assertThat(fixture.holder().process()).isEqualTo(second.pid());
    }
  }

  @Test
  void whenItDiesAndNobodyElseWaitsThatIsSaid() throws Exception {
    received();
    program.kill();

    assertThatThrownBy(() -> fixture.workload(SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("process " + program.pid() + " received the device 0000:65:00.1")
        .hasMessageContaining("for the migration uid-1/1 and has ended")
        .hasMessageContaining("nobody else waits for it at");
    assertThatThrownBy(() -> fixture.workload(SHORT).describe())
        .hasMessageContaining("for the migration uid-1/1 and has ended");
    // Nothing to be taken back from the dead.
    fixture.workload(LONG).giveBack(MIGRATION);
    assertThat(fixture.listener().records().of(StandInNode.ID)).isEmpty();
  }

  @Test
  void whenItsAnswerIsLostItCountsAsHavingTakenIt() throws Exception {
    received();
    assertThatThrownBy(() -> fixture.workload(LONG, SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("did not answer \"take\"");
    assertThat(tookIt()).isFalse();
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(fixture.listener().received(fixture.holder(), MIGRATION)).as("told").isTrue();
    assertThat(fixture.workload(LONG).state())
        .as("one that was told is the owner")
        .isEqualTo(WorkloadState.RUNNING);

    fixture.workload(SHORT).take(MIGRATION);

    assertThat(tookIt()).isTrue();
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  private boolean tookIt() throws IOException {
    return fixture.listener().records().of(StandInNode.ID).orElseThrow().taken();
  }

  @Test
  void whenItNeverHeardThatItShouldTakeItIsToldAgain() throws Exception {
    received();
    assertThatThrownBy(() -> fixture.workload(LONG, SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class);

    CompletableFuture<Void> take = beside(() -> fixture.workload(LONG).take(MIGRATION));
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(take);
  }

  @Test
  void whatWasToldToTakeAndDiedMayHaveUsedTheDeviceSoThatNobodyElseGetsIt() throws Exception {
    received();
    assertThatThrownBy(() -> fixture.workload(LONG, SHORT).take(MIGRATION))
        .isInstanceOf(WorkloadException.class);
    assertThat(program.ask("hear")).isEqualTo("take");
    program.kill();

    try (TestClient hopeful = TestClient.waitAt(fixture.socket(), null)) {
      assertThatThrownBy(() -> fixture.workload(SHORT, SHORT).take(MIGRATION))
          .isInstanceOfSatisfying(
              WorkloadException.class, failure -> assertThat(failure.errno()).isEqualTo(3))
          .hasMessageContaining("process " + program.pid() + " was told to take the device")
          .hasMessageContaining("given to nobody else");
      assertThat(fixture.listener().waiting(StandInNode.ID)).as("was asked nothing").isPresent();
      assertThat(hopeful.descriptors()).isEmpty();
    }
  }

  private TransferRecord.Stage stage() throws IOException {
    return fixture.listener().records().of(StandInNode.ID).orElseThrow().stage();
  }

  /** Its record is lost, so that it is looked at once more between its answer and "take". */
  @Test
  void whatCouldNotBeSentItWasNotTold() throws Exception {
    received();
    fixture.listener().records().remove(StandInNode.ID);
    DeviceLookups lookups =
        new DelegatedLookups(fixture.lookups()) {
          @Override
          public long startTime(long process) throws IOException {
            program.ask("leave");
            return super.startTime(process);
          }
        };

    assertThatThrownBy(
            () ->
                fixture
                    .listener()
                    .request(
                        StandInNode.ID,
                        new TransferRequest(TransferRequest.Kind.TAKE, MIGRATION, LONG, LONG),
                        lookups))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("is gone, asked for \"take\"");

    assertThat(stage()).isEqualTo(TransferRecord.Stage.DELIVERED);
    assertThatThrownBy(() -> fixture.workload(SHORT).take(MIGRATION))
        .as("it holds the device and does not know")
        .hasMessageContaining("did not connect again to " + fixture.socket());
  }

  @Test
  void whatOnlyCountsAsHavingTakenItIsToldWhenItComesBack() throws Exception {
    received();
    // As after a crash before the message was sent: it never hears of it.
    TransferRecords records = fixture.listener().records();
    records.write(
        StandInNode.ID, records.of(StandInNode.ID).orElseThrow().at(TransferRecord.Stage.TOLD));
    fixture.restartAgent();
    assertThat(program.ask("hear")).isEqualTo("end");
    fixture.workload(SHORT).take(MIGRATION);
    assertThat(stage()).isEqualTo(TransferRecord.Stage.PRESUMED);
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
    fixture.workload(SHORT).take(MIGRATION);
    fixture.restartAgent();

    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    assertThat(program.ask("hear")).isEqualTo("take");
    assertThat(program.ask("ok")).isEqualTo("said");
    assertThat(program.ask("hear")).as("one-shot").isEqualTo("end");

    assertThat(stage()).isEqualTo(TransferRecord.Stage.TAKEN);
    assertThat(fixture.listener().offered()).isEmpty();
    assertThat(fixture.workload(LONG).state()).isEqualTo(WorkloadState.RUNNING);
  }

  @Test
  void anotherOneThatWaitsDoesNotGetWhatTheFirstHolds() throws Exception {
    received();
    fixture.restartAgent();
    try (TestClient hopeful = TestClient.waitAt(fixture.socket(), null)) {
      assertThatThrownBy(() -> fixture.workload(SHORT).take(MIGRATION))
          .isInstanceOf(WorkloadException.class)
          .hasMessageContaining("process " + program.pid() + " received the device");
      assertThat(hopeful.descriptors()).isEmpty();
    }
  }

  @Test
  void afterARestartItGivesBackWhatItHolds() throws Exception {
    received();
    fixture.restartAgent();
    assertThatThrownBy(() -> fixture.workload(SHORT).giveBack(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("see whether it hangs");

    CompletableFuture<Void> back = beside(() -> fixture.workload(LONG).giveBack(MIGRATION));
    assertThat(program.ask("hear")).isEqualTo("end");
    assertThat(program.ask("wait " + MIGRATION)).isEqualTo("waits");
    assertThat(program.ask("hear")).isEqualTo("give-back");
    assertThat(program.ask("let-go")).isEqualTo("let go");
    assertThat(program.ask("ok")).isEqualTo("said");
    done(back);

    assertThat(fixture.holders.of(fixture.node.device())).isEmpty();
    assertThat(fixture.listener().waiting(StandInNode.ID)).contains("shop-db");
  }

  @Test
  void oneThatSaysThatItHoldsNothingHasNothingToGiveBack() throws Exception {
    assertThat(program.ask("wait")).isEqualTo("waits");
    fixture.openDevice();
    assertThatThrownBy(() -> fixture.workload(LONG, SHORT).deliver(MIGRATION))
        .isInstanceOf(WorkloadException.class)
        .hasMessageContaining("did not answer \"receive\"");

    CompletableFuture<Void> back = beside(() -> fixture.workload(LONG).giveBack(MIGRATION));
    assertThat(program.ask("wait")).isEqualTo("waits");
    done(back);

    assertThat(fixture.listener().records().of(StandInNode.ID)).isEmpty();
    assertThat(fixture.listener().waiting(StandInNode.ID)).contains("shop-db");
  }
}
