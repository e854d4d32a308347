package dev.vfio.migration.operator.agents;

import dev.vfio.migration.contract.v1.Reason;
import io.grpc.Metadata;
import io.grpc.Status;
import java.net.ConnectException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.CertificateNotYetValidException;
import javax.net.ssl.SSLException;

/** What a failed call means, in words and for programs. */
final class CallFailures {
  /** The trailer in which an agent says for programs why it refused. */
  static final Metadata.Key<String> REASON =
      Metadata.Key.of("vfio-migration-reason", Metadata.ASCII_STRING_MARSHALLER);

  private CallFailures() {}

  /**
   * Names the cause that a person can do something about: not "io exception" but what lies below
   * it.
   */
  static String describe(Throwable failure) {
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof CertificateExpiredException) {
        return "its certificate has expired (" + cause.getMessage() + ")";
      }
      if (cause instanceof CertificateNotYetValidException) {
        return "its certificate is not valid yet (" + cause.getMessage() + ")";
      }
    }
    // Only then: the expiry lies below an exception of this more general kind.
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof CertificateException) {
        return "its certificate is not accepted (" + cause.getMessage() + ")";
      }
    }
    for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
      if (cause instanceof SSLException) {
        return "the TLS handshake failed (%s); check the certificates of operator and agent"
            .formatted(cause.getMessage());
      }
      if (cause instanceof ConnectException) {
        return firstLine(cause.getMessage());
      }
    }
    Status status = Status.fromThrowable(failure);
    String text = status.getDescription();
    return status.getCode() + (text == null ? "" : ": " + firstLine(text));
  }

  private static String firstLine(String text) {
    return text == null ? "connection refused" : text.lines().findFirst().orElse(text);
  }

  /**
   * The reason that the agent gave; UNSPECIFIED where it gave none or one that this operator does
   * not know.
   */
  static Reason reason(Throwable failure) {
    Metadata trailers = Status.trailersFromThrowable(failure);
    String name = trailers == null ? null : trailers.get(REASON);
    if (name == null) {
      return Reason.REASON_UNSPECIFIED;
    }
    try {
      return Reason.valueOf(name);
    } catch (IllegalArgumentException newer) {
      return Reason.REASON_UNSPECIFIED;
    }
  }

  /** True where the agent checked the command and refused it, so that repeating it cannot help. */
  static boolean lasting(Throwable failure) {
    Reason reason = reason(failure);
    if (reason == Reason.NOT_READY || reason == Reason.NOT_LOADED) {
      return false;
    }
    return switch (Status.fromThrowable(failure).getCode()) {
      case NOT_FOUND,
          FAILED_PRECONDITION,
          INVALID_ARGUMENT,
          RESOURCE_EXHAUSTED,
          ALREADY_EXISTS,
          OUT_OF_RANGE,
          UNIMPLEMENTED,
          PERMISSION_DENIED ->
          true;
      // ABORTED: a newer leader commands the agent; this one ends when it notices that it lost its
      // lease.
      case OK,
          CANCELLED,
          UNKNOWN,
          DEADLINE_EXCEEDED,
          ABORTED,
          INTERNAL,
          UNAVAILABLE,
          DATA_LOSS,
          UNAUTHENTICATED ->
          false;
    };
  }
}
