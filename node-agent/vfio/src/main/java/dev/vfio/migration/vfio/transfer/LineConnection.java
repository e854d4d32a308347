package dev.vfio.migration.vfio.transfer;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.vfio.migration.text.ForeignText;
import dev.vfio.migration.vfio.json.StrictJson;
import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.DescriptorMessage;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.UnixStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

/**
 * One JSON object a line, in both directions, over a Unix stream socket. For one thread at a time.
 */
final class LineConnection implements AutoCloseable {
  static final int MAX_LINE_BYTES = 64 << 10;
  static final ObjectMapper JSON = new ObjectMapper();

  private final UnixStream stream;
  private ByteBuffer line;
  private int searched;

  LineConnection(UnixStream stream) {
    this.stream = stream;
  }

  UnixStream stream() {
    return stream;
  }

  /** Sends one object, with duplicates of the descriptors. */
  void send(ObjectNode object, List<Descriptor> descriptors) throws ErrnoException {
    byte[] text = (object + "\n").getBytes(StandardCharsets.UTF_8);
    ByteBuffer bytes = ByteBuffer.allocateDirect(text.length).put(text).flip();
    if (descriptors.isEmpty()) {
      stream.send(bytes, ByteBuffer.allocateDirect(0));
    } else {
      DescriptorMessage.send(stream, bytes, descriptors);
    }
  }

  /**
   * Receives what is there, and waits where nothing is.
   *
   * @return an object, once its line is complete
   * @throws ErrnoException ECONNRESET where the peer has closed, EAGAIN where nothing came in time
   * @throws IOException where it is no object, or more than one
   */
  Optional<JsonNode> receive() throws IOException {
    if (line == null) {
      // Not before: whoever is sent away at once costs no memory.
      line = ByteBuffer.allocateDirect(MAX_LINE_BYTES);
    }
    if (stream.receive(line, ByteBuffer.allocateDirect(0), false, null) == 0) {
      throw new ErrnoException("receiving a line", Errno.ECONNRESET.number());
    }
    for (; searched < line.position(); searched++) {
      if (line.get(searched) == '\n') {
        return Optional.of(object(searched));
      }
    }
    if (!line.hasRemaining()) {
      throw new IOException("it sent a line of more than " + MAX_LINE_BYTES + " bytes");
    }
    return Optional.empty();
  }

  /**
   * Receives an object.
   *
   * @throws ErrnoException as {@link #receive()} has it
   */
  JsonNode await(Duration timeout) throws IOException {
    long start = System.nanoTime();
    while (true) {
      Duration left = timeout.minusNanos(System.nanoTime() - start);
      if (left.isNegative() || left.isZero()) {
        throw new ErrnoException("receiving a line", Errno.EAGAIN.number());
      }
      stream.timeout(left);
      Optional<JsonNode> object = receive();
      if (object.isPresent()) {
        return object.get();
      }
    }
  }

  private JsonNode object(int end) throws IOException {
    if (line.position() != end + 1) {
      throw new IOException("it sent more than one line at once");
    }
    byte[] bytes = new byte[end];
    line.get(0, bytes);
    line.clear();
    searched = 0;
    try {
      return StrictJson.object(bytes);
    } catch (StrictJson.MalformedException malformed) {
      throw new IOException(
          "it sent a line, and "
              + malformed.getMessage()
              + ": "
              + quoted(new String(bytes, StandardCharsets.UTF_8)),
          malformed);
    }
  }

  /** Somebody else's text, fit for a message. */
  static String quoted(String text) {
    return ForeignText.quote(text);
  }

  @Override
  public void close() {
    stream.close();
  }
}
