package dev.vfio.migration.vfio.transfer.machine;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.Answer;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Close;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Greet;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.LookAtClaim;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.LookAtFit;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Message;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Refuse;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Send;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Simple;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.WriteRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Answered;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.ClaimSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Disconnected;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Failed;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.FitSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Greeted;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderUnclear;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Malformed;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Prepared;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.ProcessSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.RecordRead;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.RecordRemoved;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.RecordWritten;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Refused;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Requested;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.SaidHello;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.SendFailed;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Sent;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.TimedOut;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Task;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Which events each step of a transfer meets, and what each way through a transfer consists of. */
class TransferMachineTest {
  private static final String MIGRATION = "uid-1/1";
  private static final ConnectedClient FRESH = new ConnectedClient(1, 4711, 0, "shop-db", null);
  private static final ConnectedClient HOLDER = FRESH.holding(MIGRATION);
  private static final IOException PROBLEM = new IOException("no space left on device");
  private static final HolderView HOLDS =
      new HolderView(4711, 99, "process 4711 (db)", Set.of(4711L), false, 0);
  private static final Optional<HolderView> NOBODY = Optional.empty();

  /** One event of each kind that a step may be left by. */
  private static final List<TransferEvent> OUTCOMES =
      List.of(
          new RecordRead(Optional.empty()),
          new RecordWritten(),
          new RecordRemoved(),
          new HolderSeen(NOBODY),
          new HolderUnclear(PROBLEM, false),
          new ProcessSeen(true),
          new FitSeen(Optional.empty()),
          new Prepared(99),
          new Sent(),
          new SendFailed(32, "broken pipe"),
          new Answered(),
          new Refused(12, "no memory"),
          new Malformed("nonsense"),
          new Disconnected(104, "closed"),
          new TimedOut(),
          new Failed(PROBLEM));

  private final TransferMachine machine = new TransferMachine("gpu-0", "/run/gpu-0/handover.sock");
  private TransferState state = TransferState.INITIAL;
  private List<TransferAction> done = List.of();

  private static TransferRecord record(Stage stage) {
    return new TransferRecord(MIGRATION, 4711, 99, stage);
  }

  private static TransferRequest request(Kind kind) {
    return new TransferRequest(kind, MIGRATION, Duration.ofSeconds(10), Duration.ofSeconds(30));
  }

  /** Takes events one after the other; what the last one led to is in {@link #done}. */
  private void meet(TransferEvent... events) {
    for (TransferEvent event : events) {
      Next next = machine.next(state, event);
      state = next.state();
      done = next.actions();
    }
  }

  private String steps(TransferEvent... events) {
    List<String> steps = new ArrayList<>();
    for (TransferEvent event : events) {
      meet(event);
      steps.add(state.task() == null ? "end" : state.task().step().name());
    }
    return String.join(" ", steps);
  }

  private Optional<TransferFailure> answer() {
    return done.stream()
        .filter(Answer.class::isInstance)
        .map(action -> ((Answer) action).failure())
        .findFirst()
        .orElseThrow(() -> new AssertionError("no answer among " + done));
  }

  private static final Map<Step, Set<String>> MEETS = new EnumMap<>(Step.class);

  static {
    Set<String> read = Set.of("RecordRead", "Failed");
    Set<String> written = Set.of("RecordWritten", "Failed");
    Set<String> holder = Set.of("HolderSeen", "HolderUnclear", "Failed");
    Set<String> process = Set.of("ProcessSeen", "Failed");
    Set<String> prepared = Set.of("Prepared", "Failed");
    Set<String> sent = Set.of("Sent", "SendFailed", "Failed");
    Set<String> answer = Set.of("Answered", "Refused", "Malformed", "Disconnected", "TimedOut");
    MEETS.put(Step.READ_RECORD, read);
    MEETS.put(Step.LOOK_AT_HOLDER, holder);
    MEETS.put(Step.LOOK_AT_PROCESS, process);
    MEETS.put(Step.AWAIT_CLIENT, Set.of("TimedOut", "Failed"));
    MEETS.put(Step.LOOK_WHO_HOLDS_UNHEARD, holder);
    MEETS.put(Step.LOOK_WHETHER_SILENT_LIVES, process);
    MEETS.put(Step.WRITE_PRESUMED, written);
    MEETS.put(Step.LOOK_AT_FIT, Set.of("FitSeen", "Failed"));
    MEETS.put(Step.PREPARE, prepared);
    MEETS.put(Step.WRITE_PROMISED, written);
    MEETS.put(Step.SEND_DELIVER, sent);
    MEETS.put(Step.WRITE_DELIVERED, written);
    MEETS.put(Step.AWAIT_DELIVERED, answer);
    MEETS.put(Step.CHECK_RECEIVER, holder);
    MEETS.put(Step.SEND_GIVE_BACK, sent);
    MEETS.put(Step.AWAIT_GIVEN_BACK, answer);
    MEETS.put(Step.REMOVE_RECORD, Set.of("RecordRemoved", "Failed"));
    MEETS.put(Step.IDENTIFY, prepared);
    MEETS.put(Step.WRITE_TOLD, written);
    MEETS.put(Step.SEND_TAKE, sent);
    MEETS.put(Step.AWAIT_TAKEN, answer);
    MEETS.put(Step.WRITE_UNTOLD, written);
    MEETS.put(Step.WRITE_TAKEN, written);
  }

  /** A client's end is met by every step that does not use the client, as nobody is asked. */
  @ParameterizedTest
  @EnumSource(Step.class)
  void everyStepMeetsItsOutcomesAndRefusesAllOthers(Step step) {
    Kind kind = step == Step.LOOK_AT_PROCESS ? Kind.GIVE_BACK : Kind.TAKE;
    TransferFailure pending = TransferFailure.of(16, "as before");
    Task task = new Task(request(kind), step, record(Stage.DELIVERED), false, pending);
    TransferState at = new TransferState(step.usesClient() ? HOLDER : null, task);
    for (TransferEvent event : OUTCOMES) {
      if (MEETS.get(step).contains(event.getClass().getSimpleName())) {
        if (step != Step.LOOK_WHETHER_SILENT_LIVES && step != Step.AWAIT_CLIENT) {
          assertThat(machine.next(at, event).state()).as("%s", event).isNotEqualTo(at);
        }
      } else {
        assertThatThrownBy(() -> machine.next(at, event))
            .as("%s in %s", event, step)
            .isInstanceOf(IllegalStateException.class)
            .hasMessageContaining("a transfer cannot meet")
            .hasMessageContaining(event.getClass().getSimpleName());
      }
    }
  }

  @Test
  void aSecondRequestIsNotTakenWhileOneIsUnderWay() {
    meet(new Requested(request(Kind.DELIVER)));
    assertThatThrownBy(() -> meet(new Requested(request(Kind.TAKE))))
        .hasMessageContaining("a transfer cannot meet Requested");
  }

  @Test
  void aDeliveryIsOnTheDiskBeforeTheMessageAndBeforeItsAnswerIsAwaited() {
    meet(new Greeted(FRESH));
    assertThat(
            steps(
                new Requested(request(Kind.DELIVER)),
                new RecordRead(Optional.empty()),
                new Prepared(99)))
        .isEqualTo("READ_RECORD PREPARE WRITE_PROMISED");
    assertThat(done).containsExactly(new WriteRecord(record(Stage.PROMISED)));
    meet(new RecordWritten());
    assertThat(done).containsExactly(new Send(FRESH, Message.DELIVER, MIGRATION));
    meet(new Sent());
    assertThat(done).containsExactly(new WriteRecord(record(Stage.DELIVERED)));
    assertThat(steps(new RecordWritten(), new Answered(), new HolderSeen(Optional.of(HOLDS))))
        .isEqualTo("AWAIT_DELIVERED CHECK_RECEIVER end");
    assertThat(answer()).isEmpty();
    assertThat(state.client().holds()).isEqualTo(MIGRATION);
  }

  private void delivered() {
    meet(
        new Greeted(HOLDER),
        new RecordRead(Optional.of(record(Stage.DELIVERED))),
        new Requested(request(Kind.TAKE)),
        new RecordRead(Optional.of(record(Stage.DELIVERED))),
        new HolderSeen(Optional.of(HOLDS)));
  }

  @Test
  void aWorkloadIsToldToTakeOnceThatIsOnTheDisk() {
    delivered();
    assertThat(done).containsExactly(new WriteRecord(record(Stage.TOLD)));
    meet(new RecordWritten());
    assertThat(done).containsExactly(new Send(HOLDER, Message.TAKE, MIGRATION));
    meet(new Sent(), new Answered());
    assertThat(done).contains(new WriteRecord(record(Stage.TAKEN)));
    meet(new RecordWritten());
    assertThat(answer()).isEmpty();
    assertThat(done).contains(Simple.RELEASE_MEMORY, Simple.WITHDRAW);
  }

  @Test
  void aWorkloadThatRefusesToTakeCountsAsNotTold() {
    delivered();
    meet(new RecordWritten(), new Sent(), new Refused(12, "no memory"));
    assertThat(done).contains(new WriteRecord(record(Stage.DELIVERED)));
    meet(new RecordWritten());
    assertThat(answer()).hasValueSatisfying(why -> assertThat(why.errno()).isEqualTo(12));
    assertThat(state.client()).as("waits on").isEqualTo(HOLDER);
  }

  @Test
  void aWorkloadThatCouldNotBeToldCountsAsNotTold() {
    delivered();
    meet(new RecordWritten(), new SendFailed(32, "broken pipe"));
    assertThat(done).contains(new WriteRecord(record(Stage.DELIVERED)));
    assertThat(state.client()).isNull();
  }

  /** Its socket was full: it is silent, and may still live. */
  @Test
  void aMessageThatAWorkloadDoesNotTakeInIsAnAnswerThatItDoesNotGive() {
    delivered();
    meet(new RecordWritten(), new SendFailed(11, "sendmsg: EAGAIN"), new RecordWritten());
    assertThat(answer())
        .hasValueSatisfying(
            why -> {
              assertThat(why.errno()).isEqualTo(110);
              assertThat(why.message()).contains("did not answer \"take\" within 30000 ms");
            });
  }

  @Test
  void aFaultWhileAWorkloadIsToldLeavesItTold() {
    delivered();
    meet(new RecordWritten(), new Failed(PROBLEM));
    assertThat(done).noneMatch(WriteRecord.class::isInstance);
    assertThat(answer()).hasValueSatisfying(why -> assertThat(why.cause()).isSameAs(PROBLEM));
    assertThat(state.client()).isNull();
  }

  @Test
  void aHolderThatConnectsDuringAnotherRequestIsToldAgainAfterIt() {
    assertThat(
            steps(
                new Requested(request(Kind.FORGET)),
                new Greeted(HOLDER),
                new HolderSeen(Optional.of(HOLDS)),
                new RecordRead(Optional.of(record(Stage.PRESUMED)))))
        .isEqualTo("LOOK_AT_HOLDER LOOK_AT_HOLDER READ_RECORD SEND_TAKE");
  }

  @Test
  void aHolderThatRefusesToTakeIsNotToldAgainBeforeItConnectsAnew() {
    meet(
        new Greeted(HOLDER),
        new RecordRead(Optional.of(record(Stage.DELIVERED))),
        new Requested(request(Kind.TAKE)),
        new RecordRead(Optional.of(record(Stage.PRESUMED))));
    assertThat(steps(new HolderSeen(Optional.of(HOLDS)), new Sent(), new Refused(12, "no memory")))
        .isEqualTo("SEND_TAKE AWAIT_TAKEN end");
  }

  /** Its record needs room as well, whatever it holds. */
  @Test
  void aHolderThatWaitsIsLookedAtBeforeAMigrationAsAnyOtherIs() {
    meet(new Greeted(HOLDER), new RecordRead(Optional.empty()));
    meet(new Requested(request(Kind.REQUIRE_FIT)));
    assertThat(done).containsExactly(new LookAtFit(HOLDER));
  }

  /** It may have heard, and use the device: silence, an end and nonsense are no refusal. */
  @Test
  void aWorkloadThatDoesNotAnswerStaysTold() {
    for (TransferEvent silence :
        List.of(new TimedOut(), new Malformed("sure"), new Disconnected(104, "closed"))) {
      state = TransferState.INITIAL;
      delivered();
      meet(new RecordWritten(), new Sent(), silence);
      assertThat(done).noneMatch(WriteRecord.class::isInstance);
      assertThat(answer()).isPresent();
      assertThat(state.client()).isNull();
    }
  }

  @Test
  void onceToldNobodyElseGetsTheDevice() {
    meet(
        new Greeted(FRESH),
        new Requested(request(Kind.TAKE)),
        new RecordRead(Optional.of(record(Stage.TOLD))),
        new HolderSeen(NOBODY));
    assertThat(answer())
        .hasValueSatisfying(
            why -> {
              assertThat(why.errno()).isEqualTo(3);
              assertThat(why.message()).contains("was told to take", "given to nobody else");
            });
  }

  @Test
  void beforeItWasToldAnotherOneGetsTheDeviceOfOneThatEnded() {
    meet(new Greeted(FRESH), new Requested(request(Kind.TAKE)));
    assertThat(steps(new RecordRead(Optional.of(record(Stage.DELIVERED))), new HolderSeen(NOBODY)))
        .isEqualTo("LOOK_AT_HOLDER PREPARE");
  }

  @ParameterizedTest
  @CsvSource({
    "PROMISED, did not connect again",
    "DELIVERED, did not connect again",
  })
  void aHolderThatWasNotToldIsNotPresumedToHaveTakenTheDevice(Stage stage, String why) {
    unheard(stage, Optional.of(HOLDS));
    assertThat(answer()).hasValueSatisfying(is -> assertThat(is.message()).contains(why));
  }

  private void unheard(Stage stage, Optional<HolderView> holder) {
    meet(
        new Requested(request(Kind.TAKE)),
        new RecordRead(Optional.of(record(stage))),
        new HolderSeen(Optional.of(HOLDS)),
        new TimedOut(),
        new HolderSeen(holder));
  }

  @Test
  void aHolderThatWasToldAndDoesNotConnectIsPresumedToHaveTakenTheDeviceAndToldAgain() {
    unheard(Stage.TOLD, Optional.of(HOLDS));
    assertThat(done).contains(new WriteRecord(record(Stage.PRESUMED)));
    meet(new RecordWritten());
    assertThat(answer()).isEmpty();
    assertThat(
            steps(
                new SaidHello(HOLDER),
                new ClaimSeen(HOLDER, Optional.of(record(Stage.PRESUMED)), true),
                new Greeted(HOLDER),
                new RecordRead(Optional.of(record(Stage.PRESUMED))),
                new Sent(),
                new Answered(),
                new RecordWritten()))
        .isEqualTo("end end READ_RECORD SEND_TAKE AWAIT_TAKEN WRITE_TAKEN end");
    assertThat(done).contains(Simple.WITHDRAW);
  }

  /** Else it would wait, connected, for a word that nobody says: a new connection has it said. */
  @Test
  void aWorkloadWhoseRecordCannotBeReadWhenItIsToBeToldAgainHasToConnectAgain() {
    meet(
        new SaidHello(HOLDER),
        new ClaimSeen(HOLDER, Optional.of(record(Stage.PRESUMED)), true),
        new Greeted(HOLDER),
        new Failed(PROBLEM));
    assertThat(done).anyMatch(Close.class::isInstance);
    assertThat(state.client()).isNull();
  }

  /** The destination counts as running by then: nobody but its new connection has it told again. */
  @Test
  void aWorkloadThatRefusesWhatItIsPresumedToHaveTakenHasToConnectAgain() {
    meet(
        new SaidHello(HOLDER),
        new ClaimSeen(HOLDER, Optional.of(record(Stage.PRESUMED)), true),
        new Greeted(HOLDER),
        new RecordRead(Optional.of(record(Stage.PRESUMED))),
        new Sent(),
        new Refused(12, "no memory"));
    assertThat(done).anyMatch(Close.class::isInstance);
    assertThat(state.client()).isNull();
  }

  @Test
  void nobodyIsPresumedToHaveTakenADeviceThatNobodyHolds() {
    unheard(Stage.TOLD, NOBODY);
    assertThat(answer()).isPresent();
    assertThat(done).noneMatch(WriteRecord.class::isInstance);
  }

  @Test
  void whatWasTakenIsNotAskedBack() {
    meet(
        new Requested(request(Kind.GIVE_BACK)),
        new RecordRead(Optional.of(record(Stage.TAKEN))),
        new HolderSeen(Optional.of(HOLDS)));
    assertThat(answer())
        .hasValueSatisfying(why -> assertThat(why.message()).contains("end it first"));
  }

  @Test
  void givingBackRemovesTheRecordOnceThatWasAnswered() {
    meet(new Greeted(HOLDER), new RecordRead(Optional.of(record(Stage.DELIVERED))));
    assertThat(
            steps(
                new Requested(request(Kind.GIVE_BACK)),
                new RecordRead(Optional.of(record(Stage.DELIVERED))),
                new ProcessSeen(true),
                new Sent(),
                new Answered(),
                new RecordRemoved()))
        .isEqualTo("READ_RECORD LOOK_AT_PROCESS SEND_GIVE_BACK AWAIT_GIVEN_BACK REMOVE_RECORD end");
    assertThat(state.client().holds()).isNull();
  }

  @Test
  void aReceiverThatCannotKeepTheDeviceIsAskedToGiveItBack() {
    meet(
        new Greeted(FRESH),
        new Requested(request(Kind.DELIVER)),
        new RecordRead(Optional.empty()),
        new Prepared(99),
        new RecordWritten(),
        new Sent(),
        new RecordWritten(),
        new Answered(),
        new HolderSeen(NOBODY));
    assertThat(done).containsExactly(new Send(HOLDER, Message.GIVE_BACK, MIGRATION));
    meet(new Sent(), new Answered(), new RecordRemoved());
    assertThat(answer())
        .hasValueSatisfying(
            why -> assertThat(why.message()).contains("does not hold it", "It gave it back"));
  }

  @Test
  void aClientThatWouldLikeToWaitIsRefusedWhileOneDoes() {
    meet(new Greeted(FRESH), new SaidHello(new ConnectedClient(2, 4712, 0, "other", null)));
    assertThat(done).hasSize(1).first().isInstanceOf(Refuse.class);
    assertThat(state.client()).isEqualTo(FRESH);
  }

  @Test
  void whoHoldsTheDeviceTakesThePlaceOfOneThatWaits() {
    ConnectedClient holder = new ConnectedClient(2, 4712, 0, "holder", MIGRATION);
    meet(new Greeted(FRESH), new SaidHello(holder));
    assertThat(done).containsExactly(new LookAtClaim(holder));
    meet(new ClaimSeen(holder, Optional.empty(), true));
    assertThat(done.stream().map(Object::getClass).collect(Collectors.toList()))
        .isEqualTo(List.of(Close.class, Greet.class));
  }
}
