package dev.vfio.migration.vfio.transfer.machine;

import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.fail;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.failClosing;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.finish;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.removeRecord;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.succeed;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.tellIfPresumed;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.Close;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.LookAtFit;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.LookAtProcess;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Simple;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.StartTimer;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.ClaimSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.ClaimUnclear;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Disconnected;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Failed;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.FitSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Greeted;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderUnclear;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Prepared;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.ProcessSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.RecordRead;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Requested;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.SaidHello;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.SendFailed;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Withdrawn;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;
import java.time.Duration;
import java.util.EnumSet;
import java.util.Optional;
import java.util.Set;

/**
 * The transfer of one device to its workload: (state, event) to (state, actions), and nothing else.
 *
 * <p>The stages on the disk, and what leads from one to the next. What stands on an arrow is done
 * once the stage behind the arrow is on the disk:
 *
 * <pre>
 *              DELIVER, or TAKE by one that waits          Sent
 *   no record ------------------------------&gt; PROMISED ---------&gt; DELIVERED
 *      ^  ^                       send "receive" |                  |   |  ^
 *      |  |            the workload refuses, or  |                  |   |  | "take" was refused,
 *      |  +------------ cannot keep the device --+------------------+   |  | or not sent
 *      |                                                           TAKE |  |
 *      | GIVE_BACK: "give-back" answered,                   send "take" v  |
 *      | or who received it has ended                                  TOLD
 *      +----------- PROMISED, DELIVERED, TOLD                           |  |
 *      |                              TAKE: held, and nobody connects   |  | answered
 *      |                                           +--------------------+  |
 *      |                                           v      told again,      v
 *      +------------------------------------- PRESUMED -----------------&gt; TAKEN
 *        FORGET, once nobody holds the device          answered
 * </pre>
 *
 * <p>Until TOLD another workload that waits may get the device where the one that received it has
 * ended; from TOLD on nobody else does, for the first may have used it.
 *
 * <p>A request goes through these steps, each left by what comes of its action, or by its failure:
 *
 * <pre>
 *   DELIVER          READ_RECORD, AWAIT_CLIENT, PREPARE, WRITE_PROMISED, SEND_DELIVER,
 *                    WRITE_DELIVERED, AWAIT_DELIVERED, CHECK_RECEIVER
 *   TAKE             READ_RECORD, LOOK_AT_HOLDER, AWAIT_CLIENT, [as DELIVER], [IDENTIFY],
 *                    WRITE_TOLD, SEND_TAKE, AWAIT_TAKEN, WRITE_TAKEN; nobody connects:
 *                    LOOK_WHO_HOLDS_UNHEARD, WRITE_PRESUMED; refused or not sent: WRITE_UNTOLD
 *   GIVE_BACK        READ_RECORD, LOOK_AT_HOLDER or LOOK_AT_PROCESS, AWAIT_CLIENT, SEND_GIVE_BACK,
 *                    AWAIT_GIVEN_BACK, REMOVE_RECORD; nobody connects: LOOK_WHETHER_SILENT_LIVES
 *   TELL_AGAIN       READ_RECORD, SEND_TAKE, AWAIT_TAKEN, WRITE_TAKEN
 *   REQUIRE_RECEIVER READ_RECORD, LOOK_AT_PROCESS
 *   REQUIRE_FIT      AWAIT_CLIENT, LOOK_AT_FIT
 *   FORGET           LOOK_AT_HOLDER, REMOVE_RECORD
 * </pre>
 *
 * <p>{@link TransferStages} leads along the arrows, {@link TransferMessages} asks the client and
 * hears its answer; this class reads the record, finds the client, and asks the device back.
 *
 * <p>An agent that was restarted begins with {@link TransferState#INITIAL} and the record on the
 * disk, which every request reads first.
 */
public final class TransferMachine {
  /** Where one of these fails it is not known what the client has or knows. */
  private static final Set<Step> LEAVES_UNKNOWN =
      EnumSet.of(
          Step.WRITE_PROMISED,
          Step.SEND_DELIVER,
          Step.WRITE_DELIVERED,
          Step.CHECK_RECEIVER,
          Step.SEND_GIVE_BACK,
          Step.WRITE_TOLD,
          Step.SEND_TAKE,
          Step.WRITE_TAKEN);

  private final TransferFailures failures;
  private final ClientAdmission admission;
  private final TransferStages stages;
  private final TransferMessages messages;

  /**
   * @param device its id
   * @param socket path where a workload connects, for messages
   */
  public TransferMachine(String device, String socket) {
    this.failures = new TransferFailures(device, socket);
    this.admission = new ClientAdmission(failures);
    this.stages = new TransferStages(failures);
    this.messages = new TransferMessages(failures, stages);
  }

  /**
   * What an event leads to.
   *
   * @throws IllegalStateException where it cannot happen in that state
   */
  public Next next(TransferState state, TransferEvent event) {
    if (event instanceof SaidHello hello) {
      return admission.hello(state, hello.client());
    }
    if (event instanceof ClaimSeen seen) {
      return admission.claimSeen(state, seen);
    }
    if (event instanceof ClaimUnclear unclear) {
      return admission.refuse(state, unclear.client(), unclear.why());
    }
    if (event instanceof Greeted greeted && state.client() == null) {
      return attached(state.with(greeted.client()));
    }
    if (event instanceof Withdrawn) {
      return withdrawn(state);
    }
    if (event instanceof Requested requested && state.task() == null) {
      return begin(state, requested.request());
    }
    if (event instanceof Disconnected && state.client() != null && !state.clientInUse()) {
      return Next.of(state.withoutClient(), new Close(state.client(), "left"));
    }
    if (state.task() == null || !state.task().step().expects(event)) {
      throw impossible(state, event);
    }
    if (event instanceof Failed failed) {
      return failed(state, TransferFailure.of(failed.problem()));
    }
    return state.awaitsAnswer() ? messages.answered(state, event) : done(state, event);
  }

  private static IllegalStateException impossible(TransferState state, TransferEvent event) {
    return new IllegalStateException("a transfer cannot meet " + event + " in " + state);
  }

  /** A step that does not await the client's answer is done. */
  private Next done(TransferState state, TransferEvent event) {
    return switch (state.task().step()) {
      case READ_RECORD -> recordRead(state, ((RecordRead) event).record());
      case LOOK_AT_HOLDER -> holderSeen(state, event);
      case LOOK_AT_PROCESS -> processSeen(state, ((ProcessSeen) event).lives());
      case AWAIT_CLIENT -> nobodyCame(state);
      case LOOK_WHO_HOLDS_UNHEARD -> stages.holderUnheard(state, event);
      case LOOK_WHETHER_SILENT_LIVES ->
          ((ProcessSeen) event).lives()
              ? fail(state, failures.notBack(state.record(), state.request().connectTimeout()))
              : removeRecord(state);
      case WRITE_PRESUMED -> stages.releaseAndTell(state);
      case LOOK_AT_FIT ->
          ((FitSeen) event)
              .objection()
              .map(objection -> fail(state, failures.unfitToWait(state.client(), objection)))
              .orElseGet(() -> succeed(state));
      case PREPARE -> stages.promise(state, (Prepared) event);
      case WRITE_PROMISED -> TransferMessages.send(state, Step.SEND_DELIVER);
      case WRITE_DELIVERED -> TransferMessages.awaitAnswer(state, Step.AWAIT_DELIVERED);
      case CHECK_RECEIVER -> stages.receiverSeen(state, event);
      case REMOVE_RECORD -> finish(state.with((TransferRecord) null), state.task().failure());
      case IDENTIFY -> stages.identified(state, (Prepared) event);
      case WRITE_TOLD -> TransferMessages.send(state, Step.SEND_TAKE);
      case WRITE_UNTOLD -> fail(state, state.task().failure());
      case WRITE_TAKEN ->
          succeed(state.with(state.client().holding(null)))
              .after(Simple.RELEASE_MEMORY, Simple.WITHDRAW);
      case SEND_DELIVER, SEND_GIVE_BACK, SEND_TAKE ->
          event instanceof SendFailed failed
              ? messages.notSent(state, failed)
              : messages.sent(state);
      case AWAIT_DELIVERED, AWAIT_GIVEN_BACK, AWAIT_TAKEN -> throw impossible(state, event);
    };
  }

  private Next failed(TransferState state, TransferFailure failure) {
    Step step = state.task().step();
    if (LEAVES_UNKNOWN.contains(step)) {
      return failClosing(state, messages.kept(state, failure));
    }
    if (step == Step.WRITE_PRESUMED) {
      return TransferStages.failUntold(state, failure);
    }
    if (step == Step.READ_RECORD && state.request().kind() == Kind.TELL_AGAIN) {
      // It would wait for a word that nobody says; when it connects again, the record is read anew.
      return failClosing(state, failure);
    }
    Next next = fail(state, failure);
    return step == Step.AWAIT_CLIENT ? next.after(Simple.STOP_TIMER) : next;
  }

  // ------------------------------------------------------------------ clients come and go

  private Next attached(TransferState state) {
    if (state.task() == null) {
      return tellIfPresumed(state);
    }
    return state.task().step() == Step.AWAIT_CLIENT && wantsClient(state)
        ? withClient(state).after(Simple.STOP_TIMER)
        : Next.of(state);
  }

  private Next withdrawn(TransferState state) {
    if (state.clientInUse()) {
      // What it was asked is brought to its end.
      return Next.of(state);
    }
    TransferState left = state.withoutClient();
    Next next =
        state.task() != null && state.task().step() == Step.AWAIT_CLIENT
            ? fail(left, failures.withdrawn()).after(Simple.STOP_TIMER)
            : Next.of(left);
    return state.client() == null
        ? next
        : next.after(new Close(state.client(), "the device is not offered any more"));
  }

  // ------------------------------------------------------------------ a request begins

  private Next begin(TransferState free, TransferRequest request) {
    return switch (request.kind()) {
      case DELIVER, TAKE, REQUIRE_RECEIVER, TELL_AGAIN ->
          TransferEnd.begin(free, request, Simple.READ_RECORD);
      case GIVE_BACK -> TransferEnd.begin(free, request, Simple.RELEASE_MEMORY, Simple.READ_RECORD);
      case REQUIRE_FIT -> awaitClient(TransferEnd.begin(free, request).state());
      case FORGET -> lookAtHolder(TransferEnd.begin(free, request).state(), Step.LOOK_AT_HOLDER);
    };
  }

  private static Next lookAtHolder(TransferState state, Step step) {
    return Next.of(state.at(step), Simple.LOOK_AT_HOLDER);
  }

  private Next recordRead(TransferState begun, Optional<TransferRecord> read) {
    TransferState state =
        begun.with(read.filter(one -> one.migration().equals(begun.migration())).orElse(null));
    return switch (state.request().kind()) {
      case DELIVER -> awaitClient(state);
      case TAKE -> lookAtHolder(state, Step.LOOK_AT_HOLDER);
      case GIVE_BACK -> findReceiver(state);
      case REQUIRE_RECEIVER ->
          state.record() == null || state.record().process() == 0
              ? requireConnected(state)
              : lookAtProcess(state, Step.LOOK_AT_PROCESS);
      case TELL_AGAIN ->
          state.task().presumed() && state.clientHolds()
              ? TransferMessages.send(state, Step.SEND_TAKE)
              : succeed(state);
      case REQUIRE_FIT, FORGET -> throw new IllegalStateException("read for " + state.task());
    };
  }

  private static Next lookAtProcess(TransferState state, Step step) {
    return Next.of(
        state.at(step), new LookAtProcess(state.record().process(), state.record().startTime()));
  }

  private Next requireConnected(TransferState state) {
    return state.clientHolds()
        ? succeed(state)
        : fail(state, failures.receiverNotConnected(state.migration()));
  }

  /** A client that was sent the device may find it in its socket later; any other must hold it. */
  private Next findReceiver(TransferState state) {
    TransferRecord record = state.record();
    if (record == null) {
      return askBack(state.held(false));
    }
    if (!record.onItsWay()) {
      return lookAtHolder(state, Step.LOOK_AT_HOLDER);
    }
    return record.process() == 0
        ? askBack(state.held(true))
        : lookAtProcess(state, Step.LOOK_AT_PROCESS);
  }

  private Next holderSeen(TransferState state, TransferEvent event) {
    boolean shared = event instanceof HolderUnclear unclear && unclear.held();
    Kind kind = state.request().kind();
    if (event instanceof HolderUnclear unclear && !(shared && kind == Kind.TAKE)) {
      return fail(state, TransferFailure.of(unclear.problem()));
    }
    Optional<HolderView> holder = shared ? Optional.empty() : ((HolderSeen) event).holder();
    return switch (kind) {
      case FORGET -> holder.isPresent() ? succeed(state) : removeRecord(state);
      case TAKE -> {
        TransferState looked = state.held(shared || holder.isPresent());
        yield stages.settled(looked).orElseGet(() -> awaitClient(looked));
      }
      case GIVE_BACK -> askBack(state.held(holder.filter(state.record()::isOf).isPresent()));
      case DELIVER, REQUIRE_FIT, REQUIRE_RECEIVER, TELL_AGAIN -> throw impossible(state, event);
    };
  }

  private Next processSeen(TransferState state, boolean lives) {
    if (state.request().kind() == Kind.GIVE_BACK) {
      return askBack(state.held(lives));
    }
    return lives ? requireConnected(state) : fail(state, failures.receiverEnded(state.record()));
  }

  // ------------------------------------------------------------------ a client is found

  private static boolean wantsClient(TransferState state) {
    return switch (state.request().kind()) {
      case DELIVER, REQUIRE_FIT -> true;
      case TAKE -> !state.task().held() || state.clientHolds();
      case GIVE_BACK ->
          state.clientHolds()
              || state.task().held() && state.client().process() == state.record().process();
      case REQUIRE_RECEIVER, TELL_AGAIN, FORGET -> false;
    };
  }

  private Next awaitClient(TransferState state) {
    return state.client() != null && wantsClient(state)
        ? withClient(state)
        : Next.of(
            state.at(Step.AWAIT_CLIENT), new StartTimer(connectTimeout(state)), Simple.LISTEN);
  }

  private static Duration connectTimeout(TransferState state) {
    return switch (state.request().kind()) {
      case DELIVER, TAKE, REQUIRE_RECEIVER, TELL_AGAIN, FORGET -> state.request().connectTimeout();
      case GIVE_BACK -> state.task().held() ? state.request().connectTimeout() : Duration.ZERO;
      case REQUIRE_FIT -> Duration.ZERO;
    };
  }

  private Next withClient(TransferState state) {
    return switch (state.request().kind()) {
      case REQUIRE_FIT -> Next.of(state.at(Step.LOOK_AT_FIT), new LookAtFit(state.client()));
      case DELIVER ->
          state.clientHolds() ? lookAtHolder(state, Step.CHECK_RECEIVER) : stages.deliver(state);
      case TAKE -> state.clientHolds() ? stages.tell(state) : stages.deliver(state);
      case GIVE_BACK ->
          // One that says that it holds nothing never got the message.
          state.clientHolds()
              ? TransferMessages.send(state, Step.SEND_GIVE_BACK)
              : removeRecord(state);
      case REQUIRE_RECEIVER, TELL_AGAIN, FORGET ->
          throw new IllegalStateException("no client is wanted for " + state.task());
    };
  }

  private Next nobodyCame(TransferState state) {
    return switch (state.request().kind()) {
      case DELIVER, REQUIRE_FIT -> fail(state, failures.nobodyWaits(connectTimeout(state)));
      case TAKE -> lookAtHolder(state, Step.LOOK_WHO_HOLDS_UNHEARD);
      case GIVE_BACK ->
          state.task().held()
              ? lookAtProcess(state, Step.LOOK_WHETHER_SILENT_LIVES)
              : removeRecord(state);
      case REQUIRE_RECEIVER, TELL_AGAIN, FORGET ->
          throw new IllegalStateException("no client is awaited for " + state.task());
    };
  }

  // ------------------------------------------------------------------ give back

  private Next askBack(TransferState state) {
    if (state.task().held() && state.record().taken()) {
      return fail(state, failures.inUse(state.record()));
    }
    return state.task().held() || state.clientHolds() ? awaitClient(state) : removeRecord(state);
  }
}
