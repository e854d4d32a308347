package dev.vfio.migration.vfio.transfer.machine;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.*;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.*;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Task;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

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
 * <p>An agent that was restarted begins with {@link TransferState#INITIAL} and the record on the
 * disk, which every request reads first.
 */
public final class TransferMachine {
  /** How long a workload that has connected again is waited for to say that it takes the device. */
  private static final Duration TELL_AGAIN_TIMEOUT = Duration.ofSeconds(10);

  private final TransferFailures failures;
  private final ClientAdmission admission;

  /**
   * @param device its id
   * @param socket path where a workload connects, for messages
   */
  public TransferMachine(String device, String socket) {
    this.failures = new TransferFailures(device, socket);
    this.admission = new ClientAdmission(failures);
  }

  /** What comes of an event. */
  public record Next(TransferState state, List<TransferAction> actions) {
    static Next of(TransferState state, TransferAction... actions) {
      return new Next(state, List.of(actions));
    }

    /** The same, with these actions before the others. */
    Next after(TransferAction... first) {
      List<TransferAction> all = new ArrayList<>(List.of(first));
      all.addAll(actions);
      return new Next(state, List.copyOf(all));
    }
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
      return Next.of(state, new Refuse(unclear.client(), Errno.EBUSY.number(), unclear.why()));
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
    return state.awaitsAnswer() ? answered(state, event) : done(state, event);
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
      case LOOK_WHO_HOLDS_UNHEARD -> holderUnheard(state, event);
      case LOOK_WHETHER_SILENT_LIVES ->
          ((ProcessSeen) event).lives()
              ? fail(state, failures.notBack(state.record(), state.request().connectTimeout()))
              : removeRecord(state);
      case WRITE_PRESUMED -> releaseAndTell(state);
      case LOOK_AT_FIT ->
          ((FitSeen) event)
              .objection()
              .map(objection -> fail(state, failures.unfitToWait(state.client(), objection)))
              .orElseGet(() -> succeed(state));
      case PREPARE -> {
        TransferRecord promise = record(state, (Prepared) event, Stage.PROMISED);
        yield Next.of(state.with(promise).at(Step.WRITE_PROMISED), new WriteRecord(promise));
      }
      case WRITE_PROMISED -> send(state.at(Step.SEND_DELIVER));
      case WRITE_DELIVERED -> Next.of(state.at(Step.AWAIT_DELIVERED), answerTimer(state));
      case CHECK_RECEIVER -> receiverSeen(state, event);
      case REMOVE_RECORD ->
          finish(state.with((TransferRecord) null), Optional.ofNullable(state.task().failure()));
      case IDENTIFY -> writeTold(state.with(record(state, (Prepared) event, Stage.DELIVERED)));
      case WRITE_TOLD -> send(state.at(Step.SEND_TAKE));
      case WRITE_UNTOLD -> fail(state, state.task().failure());
      case WRITE_TAKEN ->
          succeed(state.with(state.client().holding(null)).with((TransferRecord) null))
              .after(new ReleaseMemory(), new Withdraw());
      case SEND_DELIVER, SEND_GIVE_BACK, SEND_TAKE ->
          event instanceof SendFailed failed ? notSent(state, failed) : sent(state);
      case AWAIT_DELIVERED, AWAIT_GIVEN_BACK, AWAIT_TAKEN -> throw impossible(state, event);
    };
  }

  /** A step's action failed. What was to be written before a message was sent keeps it unsent. */
  private static Next failed(TransferState state, TransferFailure failure) {
    return switch (state.task().step()) {
      case WRITE_PROMISED, WRITE_DELIVERED, WRITE_TOLD, WRITE_TAKEN -> failClosing(state, failure);
      case AWAIT_CLIENT -> fail(state, failure).after(new StopTimer());
      case WRITE_PRESUMED -> fail(state.with((TransferRecord) null), failure);
      case READ_RECORD,
          LOOK_AT_HOLDER,
          LOOK_AT_PROCESS,
          LOOK_WHO_HOLDS_UNHEARD,
          LOOK_WHETHER_SILENT_LIVES,
          LOOK_AT_FIT,
          PREPARE,
          SEND_DELIVER,
          AWAIT_DELIVERED,
          CHECK_RECEIVER,
          SEND_GIVE_BACK,
          AWAIT_GIVEN_BACK,
          REMOVE_RECORD,
          IDENTIFY,
          SEND_TAKE,
          AWAIT_TAKEN,
          WRITE_UNTOLD ->
          fail(state, failure);
    };
  }

  // ------------------------------------------------------------------ clients come and go

  private Next attached(TransferState state) {
    if (state.task() == null) {
      return lookWhetherPresumed(state);
    }
    return state.task().step() == Step.AWAIT_CLIENT && wantsClient(state)
        ? withClient(state).after(new StopTimer())
        : Next.of(state);
  }

  /** A workload that counts as having taken the device may have connected, and has to be told. */
  private static Next lookWhetherPresumed(TransferState state) {
    ConnectedClient client = state.client();
    return client.holds() == null
        ? Next.of(state)
        : begin(
            state,
            new TransferRequest(Kind.TELL_AGAIN, client.holds(), Duration.ZERO, TELL_AGAIN_TIMEOUT),
            new ReadRecord());
  }

  private Next withdrawn(TransferState state) {
    if (state.clientInUse()) {
      // What it was asked is brought to its end.
      return Next.of(state);
    }
    TransferState left = state.withoutClient();
    Next next =
        state.task() != null && state.task().step() == Step.AWAIT_CLIENT
            ? fail(left, failures.withdrawn()).after(new StopTimer())
            : Next.of(left);
    return state.client() == null
        ? next
        : next.after(new Close(state.client(), "the device is not offered any more"));
  }

  // ------------------------------------------------------------------ a request begins

  private Next begin(TransferState state, TransferRequest request) {
    return switch (request.kind()) {
      case DELIVER, TAKE, REQUIRE_RECEIVER, TELL_AGAIN -> begin(state, request, new ReadRecord());
      case GIVE_BACK -> begin(state, request, new ReleaseMemory(), new ReadRecord());
      case REQUIRE_FIT -> awaitClient(begin(state, request, new TransferAction[0]).state());
      case FORGET ->
          Next.of(
              begin(state, request, new TransferAction[0]).state().at(Step.LOOK_AT_HOLDER),
              new LookAtHolder());
    };
  }

  private static Next begin(
      TransferState state, TransferRequest request, TransferAction... actions) {
    Task task = new Task(request, Step.READ_RECORD, null, false, null);
    return Next.of(new TransferState(state.client(), task), actions);
  }

  private Next recordRead(TransferState begun, Optional<TransferRecord> read) {
    TransferState state =
        begun.with(read.filter(one -> one.migration().equals(begun.migration())).orElse(null));
    return switch (state.request().kind()) {
      case DELIVER -> awaitClient(state);
      case TAKE -> Next.of(state.at(Step.LOOK_AT_HOLDER), new LookAtHolder());
      case GIVE_BACK -> findReceiver(state);
      case REQUIRE_RECEIVER ->
          state.record() == null || state.record().process() == 0
              ? requireConnected(state)
              : lookAtProcess(state, Step.LOOK_AT_PROCESS);
      case TELL_AGAIN ->
          state.task().presumed() && state.clientHolds()
              ? send(state.at(Step.SEND_TAKE))
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

  /**
   * One that was sent the device may find it in its socket later; one that was not must hold it.
   */
  private Next findReceiver(TransferState state) {
    TransferRecord record = state.record();
    if (record == null) {
      return askBack(state.held(false));
    }
    if (!record.onItsWay()) {
      return Next.of(state.at(Step.LOOK_AT_HOLDER), new LookAtHolder());
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
      case TAKE -> take(state.held(shared || holder.isPresent()));
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
        : Next.of(state.at(Step.AWAIT_CLIENT), new StartTimer(connectTimeout(state)), new Listen());
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
      case REQUIRE_FIT ->
          state.client().holds() == null
              ? Next.of(state.at(Step.LOOK_AT_FIT), new LookAtFit(state.client()))
              : succeed(state);
      case DELIVER ->
          state.clientHolds()
              ? Next.of(state.at(Step.CHECK_RECEIVER), new LookAtHolder())
              : deliver(state);
      case TAKE -> state.clientHolds() ? tell(state) : deliver(state);
      case GIVE_BACK ->
          // One that says that it holds nothing never got the message.
          state.clientHolds() ? send(state.at(Step.SEND_GIVE_BACK)) : removeRecord(state);
      case REQUIRE_RECEIVER, TELL_AGAIN, FORGET ->
          throw new IllegalStateException("no client is wanted for " + state.task());
    };
  }

  private Next nobodyCame(TransferState state) {
    return switch (state.request().kind()) {
      case DELIVER, REQUIRE_FIT -> fail(state, failures.nobodyWaits(connectTimeout(state)));
      case TAKE -> Next.of(state.at(Step.LOOK_WHO_HOLDS_UNHEARD), new LookAtHolder());
      case GIVE_BACK ->
          state.task().held()
              ? lookAtProcess(state, Step.LOOK_WHETHER_SILENT_LIVES)
              : removeRecord(state);
      case REQUIRE_RECEIVER, TELL_AGAIN, FORGET ->
          throw new IllegalStateException("no client is awaited for " + state.task());
    };
  }

  // ------------------------------------------------------------------ deliver

  private Next deliver(TransferState state) {
    return state.client().holds() == null
        ? Next.of(state.at(Step.PREPARE), new Prepare(state.client(), state.migration()))
        : fail(state, failures.holdsForAnother(state.client(), state.migration()));
  }

  private static TransferRecord record(TransferState state, Prepared prepared, Stage stage) {
    return new TransferRecord(
        state.migration(), state.client().process(), prepared.startTime(), stage);
  }

  /**
   * Last moment at which a workload that could not be told to use the device, or not be moved
   * again, can be refused: later it runs, whatever it is.
   */
  private Next receiverSeen(TransferState state, TransferEvent event) {
    Optional<String> objection =
        event instanceof HolderUnclear unclear
            ? Optional.of(String.valueOf(unclear.problem().getMessage()))
            : failures.objection(state.client(), ((HolderSeen) event).holder());
    if (objection.isPresent()) {
      TransferFailure unfit = failures.unfit(state.client(), state.migration(), objection.get());
      return send(state.failing(unfit).at(Step.SEND_GIVE_BACK));
    }
    return state.request().kind() == Kind.TAKE ? tell(state) : succeed(state);
  }

  // ------------------------------------------------------------------ give back

  private Next askBack(TransferState state) {
    if (state.task().held() && state.record().taken()) {
      return fail(state, failures.inUse(state.record()));
    }
    return state.task().held() || state.clientHolds() ? awaitClient(state) : removeRecord(state);
  }

  private static Next removeRecord(TransferState state) {
    return state.record() == null && state.request().kind() != Kind.FORGET
        ? finish(state, Optional.ofNullable(state.task().failure()))
        : Next.of(state.at(Step.REMOVE_RECORD), new RemoveRecord());
  }

  // ------------------------------------------------------------------ take

  private Next take(TransferState state) {
    TransferRecord record = state.record();
    if (state.task().presumed()) {
      return releaseAndTell(state);
    }
    if (record != null && record.stage() == Stage.TAKEN) {
      // Where nobody holds the device any more, its socket is another workload's already.
      return state.task().held()
          ? succeed(state).after(new ReleaseMemory(), new Withdraw())
          : succeed(state).after(new ReleaseMemory());
    }
    if (!state.task().held() && record != null && record.stage() == Stage.TOLD) {
      return fail(state, failures.ended(record, Duration.ZERO));
    }
    return awaitClient(state);
  }

  /** One whose record is lost holds the device: that was looked at when it connected. */
  private static Next tell(TransferState state) {
    return state.record() == null
        ? Next.of(state.at(Step.IDENTIFY), new LookAtStart(state.client()))
        : writeTold(state);
  }

  private static Next writeTold(TransferState state) {
    return Next.of(state.at(Step.WRITE_TOLD), new WriteRecord(state.record().at(Stage.TOLD)));
  }

  /** One that is presumed to have taken the device stays so, also if it says that it did not. */
  private static Next backToUntold(TransferState state, TransferFailure failure) {
    return state.task().presumed()
        ? fail(state.with((TransferRecord) null), failure)
        : Next.of(state.failing(failure).at(Step.WRITE_UNTOLD), new WriteRecord(state.record()));
  }

  /**
   * The device is held, and its holder does not connect to say that it still waits. A workload that
   * was never told to take would: so it took the device, and this agent or its connection ended
   * before that was heard.
   */
  private Next holderUnheard(TransferState state, TransferEvent event) {
    if (event instanceof HolderUnclear unclear) {
      return fail(state, TransferFailure.of(unclear.problem()));
    }
    Optional<HolderView> holder = ((HolderSeen) event).holder();
    TransferRecord record = state.record();
    Duration timeout = state.request().connectTimeout();
    if (holder.isEmpty()) {
      return fail(
          state, record == null ? failures.nobodyWaits(timeout) : failures.ended(record, timeout));
    }
    if (record == null || !record.isOf(holder.get())) {
      return fail(state, failures.heldByAnother(holder.get(), state.migration()));
    }
    if (record.untold()) {
      return fail(state, failures.notBack(record, timeout));
    }
    TransferRecord presumed = record.at(Stage.PRESUMED);
    return Next.of(
        state.with(presumed).at(Step.WRITE_PRESUMED),
        new Warn(failures.presumed(state.migration())),
        new WriteRecord(presumed));
  }

  /** The socket stays: the workload may connect there yet, and has to be told. */
  private static Next releaseAndTell(TransferState state) {
    Next next = state.clientHolds() ? send(state.at(Step.SEND_TAKE)) : succeed(state);
    return next.after(new ReleaseMemory());
  }

  // ------------------------------------------------------------------ messages and answers

  private static Next send(TransferState state) {
    return Next.of(
        state, new Send(state.client(), state.task().step().message(), state.migration()));
  }

  private static Next sent(TransferState state) {
    return switch (state.task().step().message()) {
      case DELIVER -> {
        TransferRecord delivered = state.record().at(Stage.DELIVERED);
        yield Next.of(state.with(delivered).at(Step.WRITE_DELIVERED), new WriteRecord(delivered));
      }
      case GIVE_BACK -> Next.of(state.at(Step.AWAIT_GIVEN_BACK), answerTimer(state));
      case TAKE -> Next.of(state.at(Step.AWAIT_TAKEN), answerTimer(state));
    };
  }

  private Next notSent(TransferState state, SendFailed failed) {
    Message message = state.task().step().message();
    TransferFailure failure =
        failures.left(state.client(), message.operation(), failed.errno(), failed.why());
    return switch (message) {
      case DELIVER, GIVE_BACK -> failClosing(state, kept(state, failure));
      // What could not be sent it was not told: should it end, another one gets the device.
      case TAKE -> backToUntold(state.withoutClient(), failure).after(closing(state));
    };
  }

  private static StartTimer answerTimer(TransferState state) {
    return new StartTimer(state.request().answerTimeout());
  }

  private Next answered(TransferState state, TransferEvent event) {
    Message message = state.task().step().message();
    String operation = message.operation();
    ConnectedClient client = state.client();
    Next next;
    if (event instanceof Answered) {
      next = agreed(state, message);
    } else if (event instanceof Refused refused) {
      next = refused(state, failures.refused(client, operation, refused.errno(), refused.why()));
    } else if (event instanceof Malformed malformed) {
      next = unknown(state, failures.malformed(client, operation, malformed.what()));
    } else if (event instanceof Disconnected left) {
      next = unknown(state, failures.left(client, operation, left.errno(), left.why()));
    } else {
      Duration timeout = state.request().answerTimeout();
      next = unknown(state, failures.silent(client, operation, timeout));
    }
    return next.after(new StopTimer());
  }

  private Next agreed(TransferState state, Message message) {
    ConnectedClient client = state.client();
    TransferFailure unfit = state.task().failure();
    return switch (message) {
      case DELIVER ->
          Next.of(
              state.with(client.holding(state.migration())).at(Step.CHECK_RECEIVER),
              new LookAtHolder());
      case GIVE_BACK ->
          removeRecord(
              state
                  .with(client.holding(null))
                  .failing(unfit == null ? null : failures.unfitAndGaveBack(unfit)));
      case TAKE ->
          Next.of(state.at(Step.WRITE_TAKEN), new WriteRecord(state.record().at(Stage.TAKEN)));
    };
  }

  private Next refused(TransferState state, TransferFailure refusal) {
    return switch (state.task().step().message()) {
      case DELIVER -> removeRecord(state.failing(refusal));
      case GIVE_BACK ->
          state.task().failure() == null
              ? fail(state, refusal)
              : failClosing(state, kept(state, refusal));
      case TAKE -> backToUntold(state, refusal);
    };
  }

  /** Whether the workload did what it was asked is not known: its connection is ended. */
  private Next unknown(TransferState state, TransferFailure failure) {
    return failClosing(state, kept(state, failure));
  }

  /** Names both where a workload that cannot keep the device did not give it back either. */
  private TransferFailure kept(TransferState state, TransferFailure failure) {
    TransferFailure unfit = state.task().failure();
    return unfit == null ? failure : failures.unfitAndKept(unfit, failure);
  }

  // ------------------------------------------------------------------ a request ends

  private static Next succeed(TransferState state) {
    return finish(state, Optional.empty());
  }

  private static Next fail(TransferState state, TransferFailure failure) {
    return finish(state, Optional.of(failure));
  }

  private static Next failClosing(TransferState state, TransferFailure failure) {
    return fail(state.withoutClient(), failure).after(closing(state));
  }

  private static Close closing(TransferState state) {
    return new Close(state.client(), "did not do what it was asked");
  }

  private static Next finish(TransferState state, Optional<TransferFailure> failure) {
    boolean untold =
        state.task().presumed() && state.request().kind() != Kind.TELL_AGAIN && state.clientHolds();
    TransferState free = state.withoutTask();
    return (untold ? lookWhetherPresumed(free) : Next.of(free))
        .after(new Answer(state.request(), failure));
  }
}
