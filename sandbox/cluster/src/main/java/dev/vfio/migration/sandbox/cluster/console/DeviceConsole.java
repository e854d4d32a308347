package dev.vfio.migration.sandbox.cluster.console;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Talks to the console socket of a simulated device: one JSON object a line, one answer a line. A
 * connection per question. Safe for use by several threads.
 *
 * @param socket {@code NAME/console.sock}
 */
public record DeviceConsole(Path socket) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * What the device found out about itself.
   *
   * @param ok whether no step was lost or done twice and every byte of state and windows is right
   * @param detail in words
   * @param step the workload's step counter
   */
  public record Continuity(boolean ok, String detail, long step) {
    /** {@code ok} or {@code broken}. */
    public String word() {
      return ok ? "ok" : "broken";
    }
  }

  /** State, workload, step and counters. */
  public JsonNode status() throws IOException {
    return ask(JSON.createObjectNode().put("op", "status"));
  }

  /** The full check of device state, windows and sequence. */
  public Continuity verify() throws IOException {
    JsonNode answer = ask(JSON.createObjectNode().put("op", "verify"));
    return new Continuity(
        answer.path("continuity").asText().equals("ok"),
        answer.path("detail").asText(),
        answer.path("step").asLong());
  }

  /** Arms a fault; the forms are those of the device process' option {@code --fault}. */
  public void fault(String spec) throws IOException {
    ask(JSON.createObjectNode().put("op", "fault").put("spec", spec));
  }

  /** Ends each connection at {@code NAME/SOCKET.sock} and each new one, until it is opened. */
  public void shut(String socket) throws IOException {
    gate(socket, "shut");
  }

  /** Has what is asked at {@code NAME/SOCKET.sock} wait until it is opened. */
  public void silence(String socket) throws IOException {
    gate(socket, "silent");
  }

  /** Has whoever asks at {@code NAME/SOCKET.sock} be answered. */
  public void open(String socket) throws IOException {
    gate(socket, "open");
  }

  private void gate(String socket, String manner) throws IOException {
    ask(JSON.createObjectNode().put("op", "gate").put("socket", socket).put("manner", manner));
  }

  /** Disarms every fault. */
  public void clearFaults() throws IOException {
    ask(JSON.createObjectNode().put("op", "clear-faults"));
  }

  private JsonNode ask(ObjectNode question) throws IOException {
    try (SocketChannel channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(socket));
      ByteBuffer line =
          ByteBuffer.wrap(
              (JSON.writeValueAsString(question) + "\n").getBytes(StandardCharsets.UTF_8));
      while (line.hasRemaining()) {
        channel.write(line);
      }
      BufferedReader reader =
          new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
      String answer = reader.readLine();
      if (answer == null) {
        throw new IOException(socket + " closed the connection without an answer to " + question);
      }
      JsonNode parsed = JSON.readTree(answer);
      if (!parsed.path("ok").asBoolean(false)) {
        throw new IOException(socket + " answered to " + question + ": " + answer);
      }
      return parsed;
    }
  }
}
