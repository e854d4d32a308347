package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.SocketPeer;
import dev.vfio.migration.vfio.linux.UnixStream;
import dev.vfio.migration.vfio.transfer.machine.ConnectedClient;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * The connection of one client of a device's socket. One thread at a time sends or receives; any
 * may close.
 */
final class WorkloadClient implements AutoCloseable {
  private final int id;
  private final SocketPeer peer;
  private final LineConnection connection;

  WorkloadClient(int id, UnixStream stream) throws ErrnoException {
    this.id = id;
    this.peer = SocketPeer.of(stream);
    this.connection = new LineConnection(stream);
  }

  SocketPeer peer() {
    return peer;
  }

  LineConnection connection() {
    return connection;
  }

  UnixStream stream() {
    return connection.stream();
  }

  /**
   * The client, as it said who it is.
   *
   * @param holds the migration that it says it holds the device for; null where none
   */
  ConnectedClient named(String name, String holds) {
    return new ConnectedClient(id, peer.process(), peer.user(), LineConnection.quoted(name), holds);
  }

  /** Sends a request, with duplicates of the descriptors. Waits where its socket is full. */
  TransferEvent send(WorkloadRequest request, Duration timeout) {
    try {
      connection.stream().timeout(timeout);
      connection.send(request.text(), request.descriptors());
      return new TransferEvent.Sent();
    } catch (ErrnoException failure) {
      return new TransferEvent.SendFailed(failure.errno(), failure.getMessage());
    }
  }

  /** What has come as an answer; empty where its line has not come to its end. */
  Optional<TransferEvent> receive() {
    try {
      return connection.receive().map(WorkloadClient::answer);
    } catch (ErrnoException failure) {
      return Optional.of(new TransferEvent.Disconnected(failure.errno(), failure.getMessage()));
    } catch (IOException malformed) {
      return Optional.of(new TransferEvent.Malformed(malformed.getMessage()));
    }
  }

  private static TransferEvent answer(JsonNode answer) {
    if (!answer.path("ok").isBoolean()) {
      return new TransferEvent.Malformed(
          "\"ok\" must be true or false: " + LineConnection.quoted(answer.toString()));
    }
    return answer.path("ok").booleanValue()
        ? new TransferEvent.Answered()
        : new TransferEvent.Refused(
            answer.path("errno").asInt(0),
            LineConnection.quoted(answer.path("error").asText("no reason given")));
  }

  /** Tells the client that it may wait. */
  void greet() throws ErrnoException {
    connection.send(LineConnection.JSON.createObjectNode().put("ok", true), List.of());
  }

  /** Tells the client why it may not wait, and ends the connection. */
  void refuse(int errno, String why) throws ErrnoException {
    try (this) {
      connection.send(
          LineConnection.JSON
              .createObjectNode()
              .put("ok", false)
              .put("errno", errno)
              .put("error", why),
          List.of());
    }
  }

  @Override
  public void close() {
    connection.close();
  }
}
