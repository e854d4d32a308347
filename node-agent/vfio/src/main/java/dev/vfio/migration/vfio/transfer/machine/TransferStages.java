package dev.vfio.migration.vfio.transfer.machine;

import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.fail;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.succeed;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.LookAtStart;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Prepare;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Simple;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Warn;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.WriteRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderUnclear;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Prepared;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;
import java.time.Duration;
import java.util.Optional;

/**
 * What leads from no record to PROMISED and DELIVERED, from there to TOLD, and on to TAKEN or
 * PRESUMED: each stage is written before the message that it names is sent.
 */
final class TransferStages {
  private final TransferFailures failures;

  TransferStages(TransferFailures failures) {
    this.failures = failures;
  }

  Next deliver(TransferState state) {
    return state.client().holds() == null
        ? Next.of(state.at(Step.PREPARE), new Prepare(state.client(), state.migration()))
        : fail(state, failures.holdsForAnother(state.client(), state.migration()));
  }

  Next promise(TransferState state, Prepared prepared) {
    TransferRecord promise = record(state, prepared, Stage.PROMISED);
    return Next.of(state.with(promise).at(Step.WRITE_PROMISED), new WriteRecord(promise));
  }

  /** The device was sent. */
  static Next delivered(TransferState state) {
    TransferRecord delivered = state.record().at(Stage.DELIVERED);
    return Next.of(state.with(delivered).at(Step.WRITE_DELIVERED), new WriteRecord(delivered));
  }

  private static TransferRecord record(TransferState state, Prepared prepared, Stage stage) {
    return new TransferRecord(
        state.migration(), state.client().process(), prepared.startTime(), stage, prepared.given());
  }

  /**
   * Last moment at which a workload that could not be told to use the device, or not be moved
   * again, can be refused: later it runs, whatever it is.
   */
  Next receiverSeen(TransferState state, TransferEvent event) {
    Optional<String> objection =
        event instanceof HolderUnclear unclear
            ? Optional.of(String.valueOf(unclear.problem().getMessage()))
            : failures.objection(state.client(), ((HolderSeen) event).holder());
    if (objection.isPresent()) {
      TransferFailure unfit = failures.unfit(state.client(), state.migration(), objection.get());
      return TransferMessages.send(state.failing(unfit), Step.SEND_GIVE_BACK);
    }
    return state.request().kind() == Kind.TAKE ? tell(state) : succeed(state);
  }

  /** What an earlier TAKE has settled; empty where a client is to be told. */
  Optional<Next> settled(TransferState state) {
    TransferRecord record = state.record();
    if (record == null || record.untold()) {
      return Optional.empty();
    }
    if (record.stage() == Stage.PRESUMED) {
      return Optional.of(releaseAndTell(state));
    }
    if (record.stage() == Stage.TAKEN) {
      // Where nobody holds the device any more, its socket is another workload's already.
      return Optional.of(
          state.task().held()
              ? succeed(state).after(Simple.RELEASE_MEMORY, Simple.WITHDRAW)
              : succeed(state).after(Simple.RELEASE_MEMORY));
    }
    return state.task().held()
        ? Optional.empty()
        : Optional.of(fail(state, failures.ended(record, Duration.ZERO)));
  }

  /**
   * A client whose record is lost holds the device all the same: that was looked at when it
   * connected.
   */
  Next tell(TransferState state) {
    return state.record() == null
        ? Next.of(state.at(Step.IDENTIFY), new LookAtStart(state.client()))
        : writeTold(state);
  }

  /** A client whose record was lost is known again. */
  Next identified(TransferState state, Prepared prepared) {
    return writeTold(state.with(record(state, prepared, Stage.DELIVERED)));
  }

  private static Next writeTold(TransferState state) {
    return Next.of(state.at(Step.WRITE_TOLD), new WriteRecord(state.record().at(Stage.TOLD)));
  }

  /** The workload answered that it took the device. */
  static Next taken(TransferState state) {
    return Next.of(state.at(Step.WRITE_TAKEN), new WriteRecord(state.record().at(Stage.TAKEN)));
  }

  /**
   * A workload that is presumed to have taken the device stays so, even where it says that it did
   * not. It has to connect again, and is told again then: the destination counts as running, so
   * nobody else would have it told.
   */
  Next backToUntold(TransferState state, TransferFailure failure) {
    if (!state.task().presumed()) {
      return Next.of(state.failing(failure).at(Step.WRITE_UNTOLD), new WriteRecord(state.record()));
    }
    return state.client() == null ? fail(state, failure) : TransferEnd.failClosing(state, failure);
  }

  /** Fails, and does not tell the client again at once: not before it has connected anew. */
  static Next failUntold(TransferState state, TransferFailure failure) {
    return fail(state.with(state.record().at(Stage.TOLD)), failure);
  }

  /**
   * The device is held, and its holder does not connect to say that it still waits. A workload that
   * was never told to take would: so it took the device, and this agent or its connection ended
   * before that was heard.
   */
  Next holderUnheard(TransferState state, TransferEvent event) {
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
  Next releaseAndTell(TransferState state) {
    Next next = state.clientHolds() ? TransferMessages.send(state, Step.SEND_TAKE) : succeed(state);
    return next.after(Simple.RELEASE_MEMORY);
  }
}
