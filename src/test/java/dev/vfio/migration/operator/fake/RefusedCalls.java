package dev.vfio.migration.operator.fake;

import dev.vfio.migration.contract.v1.Reason;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;

/** RefusedCalls as the contract describes them. */
public final class RefusedCalls {
  private static final Metadata.Key<String> REASON =
      Metadata.Key.of("vfio-migration-reason", Metadata.ASCII_STRING_MARSHALLER);

  private RefusedCalls() {}

  public static StatusRuntimeException of(Reason reason, String message) {
    Metadata trailers = new Metadata();
    trailers.put(REASON, reason.name());
    Status status =
        switch (reason) {
          case UNKNOWN_DEVICE, UNKNOWN_SESSION -> Status.NOT_FOUND;
          case INVALID_REQUEST -> Status.INVALID_ARGUMENT;
          case NO_CAPACITY -> Status.RESOURCE_EXHAUSTED;
          case STALE_FENCING_NUMBER -> Status.ABORTED;
          case JOURNAL_FAILED -> Status.UNAVAILABLE;
          default -> Status.FAILED_PRECONDITION;
        };
    return status.withDescription(message).asRuntimeException(trailers);
  }
}
