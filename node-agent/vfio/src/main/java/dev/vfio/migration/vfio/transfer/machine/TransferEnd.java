package dev.vfio.migration.vfio.transfer.machine;

import dev.vfio.migration.vfio.transfer.machine.TransferAction.Answer;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Close;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Simple;
import dev.vfio.migration.vfio.transfer.machine.TransferRequest.Kind;
import dev.vfio.migration.vfio.transfer.machine.TransferState.Step;
import java.time.Duration;
import java.util.Optional;

/** How a request ends, and what may follow at once. */
final class TransferEnd {
  /** How long a workload that has connected again is waited for to say that it takes the device. */
  private static final Duration TELL_AGAIN_TIMEOUT = Duration.ofSeconds(10);

  private TransferEnd() {}

  static Next succeed(TransferState state) {
    return finish(state, null);
  }

  static Next fail(TransferState state, TransferFailure failure) {
    return finish(state, failure);
  }

  /** Ends the client's connection too: whether it did what it was asked is not known. */
  static Next failClosing(TransferState state, TransferFailure failure) {
    return fail(state.withoutClient(), failure).after(closing(state));
  }

  static Close closing(TransferState state) {
    return new Close(state.client(), "did not do what it was asked");
  }

  /** Removes the record, where there may be one, and ends with the failure that is pending. */
  static Next removeRecord(TransferState state) {
    return state.record() == null && state.request().kind() != Kind.FORGET
        ? finish(state, state.task().failure())
        : Next.of(state.at(Step.REMOVE_RECORD), Simple.REMOVE_RECORD);
  }

  /**
   * @param failure null where the request was done
   */
  static Next finish(TransferState state, TransferFailure failure) {
    TransferState free = new TransferState(state.client(), null);
    // A client that connected meanwhile may have to be told: the record, which was not read for it
    // or says PRESUMED, decides that.
    boolean untold =
        state.request().kind() != Kind.TELL_AGAIN
            && (state.record() == null || state.task().presumed());
    return (untold ? tellIfPresumed(free) : Next.of(free))
        .after(new Answer(state.request(), Optional.ofNullable(failure)));
  }

  /** A workload that counts as having taken the device may be connected, and has to be told. */
  static Next tellIfPresumed(TransferState free) {
    ConnectedClient client = free.client();
    return client == null || client.holds() == null
        ? Next.of(free)
        : begin(
            free,
            new TransferRequest(Kind.TELL_AGAIN, client.holds(), Duration.ZERO, TELL_AGAIN_TIMEOUT),
            Simple.READ_RECORD);
  }

  static Next begin(TransferState free, TransferRequest request, TransferAction... actions) {
    return Next.of(new TransferState(free.client(), TransferState.Task.of(request)), actions);
  }
}
