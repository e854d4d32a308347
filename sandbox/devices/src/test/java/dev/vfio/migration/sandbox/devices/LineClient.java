package dev.vfio.migration.sandbox.devices;

import dev.vfio.migration.sandbox.devices.lines.JsonObjects;
import java.io.BufferedReader;
import java.io.Closeable;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Map;

/** Asks a server of JSON lines. */
public final class LineClient implements Closeable {
  private final SocketChannel channel;
  private final BufferedReader in;

  public LineClient(Path socket) throws IOException {
    channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
    in = new BufferedReader(Channels.newReader(channel, StandardCharsets.UTF_8));
  }

  /** One request as JSON text, single quotes for double ones; the answer. */
  public Map<String, Object> ask(String request) throws IOException {
    String line = request.replace('\'', '"') + "\n";
    ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8));
    while (bytes.hasRemaining()) {
      channel.write(bytes);
    }
    return JsonObjects.parse(in.readLine());
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }
}
