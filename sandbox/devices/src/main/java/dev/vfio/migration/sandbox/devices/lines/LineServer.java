package dev.vfio.migration.sandbox.devices.lines;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import dev.vfio.migration.sandbox.devices.gate.Gate;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.devices.unixsocket.SocketPath;
import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Serves a protocol of JSON lines at a Unix socket: one object a line, one answer a request. Any
 * number of connections, a thread each.
 */
public final class LineServer implements AutoCloseable {
  /** The longest line, in bytes, without its end. */
  public static final int MAX_LINE_BYTES = 64 * 1024;

  private final Path path;
  private final LineProtocol protocol;
  private final Gate gate;
  private final ServerSocketChannel listener;
  private final Set<SocketChannel> connections = ConcurrentHashMap.newKeySet();
  private final JsonFactory json = new JsonFactory();

  private LineServer(Path path, LineProtocol protocol, Gate gate, ServerSocketChannel listener) {
    this.path = path;
    this.protocol = protocol;
    this.gate = gate;
    this.listener = listener;
  }

  /** Listens from the moment this returns. */
  public static LineServer start(Path path, LineProtocol protocol) throws IOException {
    return start(path, protocol, new Gate());
  }

  /** The same, behind a gate. */
  public static LineServer start(Path path, LineProtocol protocol, Gate gate) throws IOException {
    SocketPath.claim(path);
    ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(path));
    LineServer server = new LineServer(path, protocol, gate, listener);
    gate.whenShut(server::endConnections);
    Thread thread = new Thread(server::acceptAll, path.getFileName().toString());
    thread.setDaemon(true);
    thread.start();
    return server;
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (SocketChannel connection : connections) {
      connection.close();
    }
    Files.deleteIfExists(path);
  }

  private void endConnections() {
    for (SocketChannel connection : connections) {
      try {
        connection.close();
      } catch (IOException e) {
        throw new UncheckedIOException("ending a connection at " + path, e);
      }
    }
  }

  private void acceptAll() {
    while (listener.isOpen()) {
      try {
        SocketChannel connection = listener.accept();
        connections.add(connection);
        Thread thread = new Thread(() -> serve(connection), path.getFileName() + " client");
        thread.setDaemon(true);
        thread.start();
      } catch (ClosedChannelException closing) {
        return;
      } catch (IOException e) {
        throw new UncheckedIOException("accepting at " + path, e);
      }
    }
  }

  private void serve(SocketChannel connection) {
    try (connection) {
      InputStream in = new BufferedInputStream(Channels.newInputStream(connection));
      boolean open = true;
      while (open) {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        open = readLine(in, line) && gate.letsIn();
        if (open) {
          answer(line.toString(StandardCharsets.UTF_8), connection);
        } else if (line.size() > MAX_LINE_BYTES) {
          write(
              connection, refusal(Errno.EINVAL, "a line is at most " + MAX_LINE_BYTES + " bytes"));
        }
      }
    } catch (IOException clientIsGone) {
      // a client may leave at any time; nothing it asked for is undone by that
      return;
    } finally {
      connections.remove(connection);
    }
  }

  /** Reads up to the end of a line; false at the end of the connection or of what a line may be. */
  private static boolean readLine(InputStream in, ByteArrayOutputStream line) throws IOException {
    int next = in.read();
    while (next >= 0 && next != '\n' && line.size() <= MAX_LINE_BYTES) {
      line.write(next);
      next = in.read();
    }
    return next == '\n';
  }

  private void answer(String line, SocketChannel connection) throws IOException {
    try {
      Map<String, Object> request = parse(line);
      write(connection, answer(request));
      protocol.answered(request);
    } catch (RefusalException e) {
      write(connection, refusal(e.errno(), e.getMessage()));
    }
  }

  private byte[] answer(Map<String, Object> request) throws IOException, RefusalException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator reply = json.createGenerator(bytes)) {
      reply.writeStartObject();
      reply.writeBooleanField("ok", true);
      protocol.answer(request, reply);
      reply.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private static Map<String, Object> parse(String line) throws RefusalException {
    try {
      return JsonObjects.parse(line);
    } catch (IOException e) {
      throw new RefusalException(Errno.EINVAL, "not a request: " + e.getMessage());
    }
  }

  private byte[] refusal(int errno, String sentence) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator reply = json.createGenerator(bytes)) {
      reply.writeStartObject();
      reply.writeBooleanField("ok", false);
      reply.writeNumberField("errno", errno);
      reply.writeStringField("error", sentence);
      reply.writeEndObject();
    }
    return bytes.toByteArray();
  }

  private static void write(SocketChannel connection, byte[] line) throws IOException {
    ByteBuffer bytes = ByteBuffer.allocate(line.length + 1).put(line).put((byte) '\n').flip();
    while (bytes.hasRemaining()) {
      connection.write(bytes);
    }
  }
}
