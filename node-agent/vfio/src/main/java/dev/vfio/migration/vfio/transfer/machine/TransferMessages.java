package dev.vfio.migration.vfio.transfer.machine;

import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.closing;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.fail;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.failClosing;
import static dev.vfio.migration.vfio.transfer.machine.TransferEnd.removeRecord;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Message;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Send;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Simple;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.StartTimer;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Answered;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Disconnected;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Malformed;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.Refused;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.SendFailed;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;

/** What a client is asked, and what comes of its answer, or of its silence. */
final class TransferMessages {
  private final TransferFailures failures;
  private final TransferStages stages;

  TransferMessages(TransferFailures failures, TransferStages stages) {
    this.failures = failures;
    this.stages = stages;
  }

  static Next send(TransferState state, Step step) {
    return Next.of(state.at(step), new Send(state.client(), step.message(), state.migration()));
  }

  Next sent(TransferState state) {
    return switch (message(state)) {
      case DELIVER -> TransferStages.delivered(state);
      case GIVE_BACK -> awaitAnswer(state, Step.AWAIT_GIVEN_BACK);
      case TAKE -> awaitAnswer(state, Step.AWAIT_TAKEN);
    };
  }

  static Next awaitAnswer(TransferState state, Step step) {
    return Next.of(state.at(step), new StartTimer(state.request().answerTimeout()));
  }

  Next notSent(TransferState state, SendFailed failed) {
    TransferFailure failure = left(state, failed.errno(), failed.why());
    return switch (message(state)) {
      case DELIVER, GIVE_BACK -> failClosing(state, kept(state, failure));
      // What could not be sent it was not told: should it end, another one gets the device.
      case TAKE -> stages.backToUntold(state.withoutClient(), failure).after(closing(state));
    };
  }

  Next answered(TransferState state, TransferEvent event) {
    String operation = message(state).operation();
    ConnectedClient client = state.client();
    Next next;
    if (event instanceof Answered) {
      next = agreed(state);
    } else if (event instanceof Refused refused) {
      next = refused(state, failures.refused(client, operation, refused.errno(), refused.why()));
    } else if (event instanceof Malformed malformed) {
      next = unknown(state, failures.malformed(client, operation, malformed.what()));
    } else if (event instanceof Disconnected left) {
      next = unknown(state, left(state, left.errno(), left.why()));
    } else {
      next = unknown(state, silent(state));
    }
    return next.after(Simple.STOP_TIMER);
  }

  private Next agreed(TransferState state) {
    ConnectedClient client = state.client();
    TransferFailure unfit = state.task().failure();
    return switch (message(state)) {
      case DELIVER ->
          Next.of(
              state.with(client.holding(state.migration())).at(Step.CHECK_RECEIVER),
              Simple.LOOK_AT_HOLDER);
      case GIVE_BACK ->
          removeRecord(
              state
                  .with(client.holding(null))
                  .failing(unfit == null ? null : failures.unfitAndGaveBack(unfit)));
      case TAKE -> TransferStages.taken(state);
    };
  }

  private Next refused(TransferState state, TransferFailure refusal) {
    return switch (message(state)) {
      case DELIVER -> removeRecord(state.failing(refusal));
      case GIVE_BACK ->
          state.task().failure() == null ? fail(state, refusal) : unknown(state, refusal);
      case TAKE -> stages.backToUntold(state, refusal);
    };
  }

  /** Whether the workload did what it was asked is not known: its connection is ended. */
  private Next unknown(TransferState state, TransferFailure failure) {
    return failClosing(state, kept(state, failure));
  }

  /** Names both where a workload that cannot keep the device did not give it back either. */
  TransferFailure kept(TransferState state, TransferFailure failure) {
    TransferFailure unfit = state.task().failure();
    return unfit == null ? failure : failures.unfitAndKept(unfit, failure);
  }

  private TransferFailure left(TransferState state, int errno, String why) {
    return errno == Errno.EAGAIN.number()
        ? silent(state)
        : failures.left(state.client(), message(state).operation(), errno, why);
  }

  private TransferFailure silent(TransferState state) {
    return failures.silent(
        state.client(), message(state).operation(), state.request().answerTimeout());
  }

  private static Message message(TransferState state) {
    return state.task().step().message();
  }
}
