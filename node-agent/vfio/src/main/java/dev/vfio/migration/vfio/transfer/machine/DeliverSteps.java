package dev.vfio.migration.vfio.transfer.machine;

import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.fail;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.succeed;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.Prepare;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.WriteRecord;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderSeen;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.HolderUnclear;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Prepared;
import dev.vfio.migration.vfio.transfer.machine.TransferMachine.Next;
import dev.vfio.migration.vfio.transfer.machine.TransferRecord.Stage;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;
import java.util.Optional;

/** No record to PROMISED, and who may keep what was DELIVERED: for DELIVER, and for TAKE. */
final class DeliverSteps {
  private final TransferFailures failures;
  private final TakeSteps take;

  DeliverSteps(TransferFailures failures, TakeSteps take) {
    this.failures = failures;
    this.take = take;
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

  static TransferRecord record(TransferState state, Prepared prepared, Stage stage) {
    return new TransferRecord(
        state.migration(), state.client().process(), prepared.startTime(), stage);
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
    return state.request().kind() == Kind.TAKE ? take.tell(state) : succeed(state);
  }
}
