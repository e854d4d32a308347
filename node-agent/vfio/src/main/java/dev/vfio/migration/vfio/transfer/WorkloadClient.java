package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.SocketPeer;
import dev.vfio.migration.vfio.workload.WorkloadException;
import java.io.IOException;
import java.time.Duration;
import java.util.List;

/**
 * A workload that waits at the desk: one connection. Borrowed from the desk for each request, and
 * used by the borrower alone until it is returned.
 */
final class WorkloadClient {
  private final String device;
  private final String name;
  private final SocketPeer peer;
  private final LineConnection connection;
  private volatile String holds;

  /**
   * @param holds the migration that it received the device for; null where it has no device
   */
  WorkloadClient(
      String device, String name, SocketPeer peer, LineConnection connection, String holds) {
    this.device = device;
    this.name = name;
    this.peer = peer;
    this.connection = connection;
    this.holds = holds;
  }

  String name() {
    return name;
  }

  SocketPeer peer() {
    return peer;
  }

  LineConnection connection() {
    return connection;
  }

  /** The migration that it holds the device for; null where it has no device. */
  String holds() {
    return holds;
  }

  void holds(String migration) {
    this.holds = migration;
  }

  /** For messages. */
  String described() {
    return "the workload \""
        + name
        + "\" (process "
        + peer.process()
        + ", user "
        + peer.user()
        + ")";
  }

  /**
   * Asks for something and waits until it is done.
   *
   * @throws WorkloadException ETIMEDOUT where it does not answer in time, ECONNRESET or EPIPE where
   *     it is gone; whether it did what was asked is then not known. The errno it gave, or 0, where
   *     it refused
   */
  void ask(ObjectNode request, Duration patience) throws IOException {
    ask(request, List.of(), () -> {}, patience);
  }

  /** As {@link #ask(ObjectNode, Duration)}, with duplicates of the descriptors. */
  void ask(ObjectNode request, List<Descriptor> descriptors, Sent sent, Duration patience)
      throws IOException {
    String operation = request.path("op").asText();
    try {
      connection.stream().timeout(patience);
      connection.send(request, descriptors);
    } catch (ErrnoException failure) {
      throw silent(operation, patience, failure);
    }
    sent.note();
    JsonNode answer;
    try {
      answer = connection.await(patience);
    } catch (ErrnoException failure) {
      throw silent(operation, patience, failure);
    } catch (IOException malformed) {
      throw unclear(operation, malformed.getMessage(), malformed);
    }
    if (!answer.path("ok").isBoolean()) {
      throw unclear(
          operation,
          "\"ok\" must be true or false: " + LineConnection.quoted(answer.toString()),
          null);
    }
    if (!answer.path("ok").booleanValue()) {
      int errno = answer.path("errno").asInt(0);
      throw new Refusal(
          errno,
          described()
              + " refused \""
              + operation
              + "\" of the device "
              + device
              + ": "
              + LineConnection.quoted(answer.path("error").asText("no reason given"))
              + (errno == 0 ? "" : ", " + Errno.describe(errno))
              + ".");
    }
  }

  private WorkloadException unclear(String operation, String what, Throwable cause) {
    return new WorkloadException(
        Errno.EPROTO.number(),
        described()
            + " answered \""
            + operation
            + "\" against the protocol: "
            + what
            + ". Whether it did what was asked is not known; the connection was ended.",
        cause);
  }

  private WorkloadException silent(String operation, Duration patience, ErrnoException failure) {
    boolean late = failure.is(Errno.EAGAIN);
    return new WorkloadException(
        late ? Errno.ETIMEDOUT.number() : failure.errno(),
        described()
            + (late
                ? " did not answer \"" + operation + "\"" + WorkloadListener.within(patience)
                : " is gone, asked for \"" + operation + "\": " + failure.getMessage())
            + ". Whether it did what was asked is not known; the connection was ended.",
        failure);
  }

  /** Notes that a request is with the workload, before its answer is waited for. */
  @FunctionalInterface
  interface Sent {
    void note() throws IOException;
  }

  /** It answered and said no, or was not even asked: it counts as being as before. */
  static final class Refusal extends WorkloadException {
    private static final long serialVersionUID = 1L;

    Refusal(int errno, String message) {
      super(errno, message, null);
    }
  }
}
