package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A workload's end of the transfer's protocol, written from its description. */
final class TestClient implements AutoCloseable {
  private static final ObjectMapper JSON = new ObjectMapper();

  private final UnixStream stream;
  private final ByteBuffer line = ByteBuffer.allocateDirect(64 << 10);
  private final List<Descriptor> descriptors = new ArrayList<>();

  private TestClient(UnixStream stream) {
    this.stream = stream;
  }

  static TestClient connect(Path socket) throws IOException {
    return new TestClient(UnixStream.connect(socket, TransferFixture.LONG));
  }

  /** Connects and says hello; answers once it may wait. */
  static TestClient waitAt(Path socket, String holds) throws IOException {
    TestClient client = connect(socket);
    client.hello(holds);
    JsonNode answer = client.next();
    if (answer == null || !answer.path("ok").asBoolean()) {
      client.close();
      throw new IOException("sent away: " + answer);
    }
    return client;
  }

  void hello(String holds) throws IOException {
    say(
        "{\"protocol\":1,\"workload\":\"shop-db\",\"holds\":"
            + (holds == null ? "null" : "\"" + holds + "\"")
            + "}");
  }

  void say(String text) throws IOException {
    byte[] bytes = (text + "\n").getBytes(StandardCharsets.UTF_8);
    stream.send(
        ByteBuffer.allocateDirect(bytes.length).put(bytes).flip(), ByteBuffer.allocateDirect(0));
  }

  void ok() throws IOException {
    say("{\"ok\":true}");
  }

  /** The next line; null where the agent has closed. More than one may arrive at once. */
  JsonNode next() throws IOException {
    int end = endOfLine();
    while (end < 0) {
      if (stream.receive(line, ByteBuffer.allocateDirect(0), false, descriptors) == 0) {
        return null;
      }
      end = endOfLine();
    }
    byte[] text = new byte[end];
    line.flip().get(text).get();
    line.compact();
    return JSON.readTree(text);
  }

  private int endOfLine() {
    for (int i = 0; i < line.position(); i++) {
      if (line.get(i) == '\n') {
        return i;
      }
    }
    return -1;
  }

  /** What came along with the lines so far. */
  List<Descriptor> descriptors() {
    return descriptors;
  }

  @Override
  public void close() {
    descriptors.forEach(Descriptor::close);
    stream.close();
  }
}
