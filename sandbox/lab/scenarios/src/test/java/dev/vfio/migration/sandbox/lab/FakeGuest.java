package dev.vfio.migration.sandbox.lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * The far end of a guest's command channel, on this machine: runs each command with {@code sh -c}
 * and answers as a booted guest does, with the noise of a serial line in between.
 */
final class FakeGuest implements AutoCloseable {
  private final ServerSocketChannel server;
  private final Path output;
  private volatile SocketChannel connection;

  private FakeGuest(ServerSocketChannel server, Path output) {
    this.server = server;
    this.output = output;
  }

  static FakeGuest listen(Path socket) throws IOException {
    ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    server.bind(UnixDomainSocketAddress.of(socket));
    FakeGuest guest = new FakeGuest(server, Path.of(socket + ".output"));
    Thread thread = new Thread(guest::serve, "fake-guest");
    thread.setDaemon(true);
    thread.start();
    return guest;
  }

  private void serve() {
    try (SocketChannel accepted = server.accept()) {
      connection = accepted;
      say("[    1.234567] a line of the kernel\r\n");
      BufferedReader lines =
          new BufferedReader(
              new InputStreamReader(Channels.newInputStream(accepted), StandardCharsets.UTF_8));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        answer(line);
      }
    } catch (ClosedChannelException ended) {
      return;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void answer(String line) throws IOException, InterruptedException {
    String id = line.substring(0, line.indexOf(' '));
    int status =
        new ProcessBuilder("sh", "-c", line.substring(id.length() + 1))
            .redirectErrorStream(true)
            .redirectOutput(output.toFile())
            .start()
            .waitFor();
    for (String text : java.nio.file.Files.readAllLines(output)) {
      say(id + "| " + text + "\r\n");
    }
    say("other-1= 0\r\n");
    say(id + "= " + status + "\r\n");
  }

  private void say(String text) throws IOException {
    ByteBuffer bytes = StandardCharsets.UTF_8.encode(text);
    while (bytes.hasRemaining()) {
      connection.write(bytes);
    }
  }

  /** As when the guest's machine stops. */
  void hangUp() throws IOException {
    connection.close();
  }

  @Override
  public void close() throws IOException {
    server.close();
    if (connection != null) {
      connection.close();
    }
  }
}
