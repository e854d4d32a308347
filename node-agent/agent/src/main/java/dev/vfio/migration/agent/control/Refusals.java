package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Refusal;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.concurrent.CompletionException;
import org.jboss.logging.Logger;

/** Refusals as gRPC has them: a code and words for people, and the reason's name in a trailer. */
final class Refusals {
  static final Metadata.Key<String> REASON =
      Metadata.Key.of("vfio-migration-reason", Metadata.ASCII_STRING_MARSHALLER);

  private static final Logger LOG = Logger.getLogger(Refusals.class);

  private Refusals() {}

  static StatusRuntimeException of(Throwable problem) {
    Throwable cause =
        problem instanceof CompletionException && problem.getCause() != null
            ? problem.getCause()
            : problem;
    if (cause instanceof Refusal refusal) {
      return of(refusal.failure());
    }
    LOG.errorf(cause, "a fault in the agent while it served a command");
    return of(Failure.of(Reason.INTERNAL_ERROR, "a fault in the agent: " + cause));
  }

  private static StatusRuntimeException of(Failure failure) {
    Metadata trailers = new Metadata();
    trailers.put(REASON, failure.reason().name());
    return code(failure.reason()).withDescription(failure.message()).asRuntimeException(trailers);
  }

  private static Status code(Reason reason) {
    return switch (reason) {
      case INVALID_REQUEST -> Status.INVALID_ARGUMENT;
      case UNKNOWN_DEVICE, UNKNOWN_SESSION -> Status.NOT_FOUND;
      case NO_CAPACITY -> Status.RESOURCE_EXHAUSTED;
      case STALE_FENCING_NUMBER -> Status.ABORTED;
      case JOURNAL_FAILED, DEVICE_UNREACHABLE -> Status.UNAVAILABLE;
      case INTERNAL_ERROR -> Status.INTERNAL;
      case NO_MIGRATION_REGION,
          DEVICE_BUSY,
          DEVICE_NOT_RESET,
          INCOMPATIBLE_DEVICE,
          NOT_LOADED,
          ALREADY_COMMITTED,
          ALREADY_ROLLED_BACK,
          NOT_READY,
          TRANSITION_FAILED,
          DEVICE_READ_FAILED,
          DEVICE_WRITE_FAILED,
          DEVICE_PROTOCOL_VIOLATION,
          DEVICE_NEVER_DRY,
          MEMORY_UNREACHABLE,
          WORKLOAD_UNREACHABLE,
          WORKLOAD_PAUSE_FAILED,
          STREAM_REFUSED,
          STREAM_BROKEN,
          STREAM_CORRUPT,
          STREAM_UNAUTHENTICATED,
          STREAM_VERSION,
          AGENT_RESTARTED,
          ROLLED_BACK,
          CANCELLED_BY_USER ->
          Status.FAILED_PRECONDITION;
    };
  }
}
