package dev.vfio.migration.vfio.workload;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Function;

/**
 * A workload for one test: says who it is where it is asked, and answers each other line as the
 * test says.
 */
public final class ScriptedWorkload implements AutoCloseable {
  private final ServerSocketChannel listener;
  private final Thread thread;
  private final List<String> lines = new CopyOnWriteArrayList<>();
  private volatile Function<String, String> answer;
  private volatile String description;
  private volatile SocketChannel current;
  private volatile boolean closing;

  /**
   * @param device that it uses
   * @param answer from the line that came to the bytes that go back; null hangs up
   */
  public ScriptedWorkload(Path socket, String device, Function<String, String> answer)
      throws IOException {
    this(listener(socket), device, answer);
  }

  public ScriptedWorkload(
      ServerSocketChannel listener, String device, Function<String, String> answer) {
    this.listener = listener;
    this.answer = answer;
    describing(descriptionOf(device, "[]"));
    thread = new Thread(this::serveAll, "scripted workload");
    thread.start();
  }

  /** Listens at that path, as the user of the calling thread. */
  public static ServerSocketChannel listener(Path socket) throws IOException {
    ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket));
    return listener;
  }

  /** What a workload of that device says that has these windows, in JSON. */
  public static String descriptionOf(String device, String windows) {
    return "{\"ok\":true,\"protocol\":1,\"workload\":\"counter\",\"state\":\"running\",\"device\":\""
        + device
        + "\",\"windows\":"
        + windows
        + "}";
  }

  /** With nothing to say of itself it does not answer. */
  public void describing(String newDescription) {
    description = newDescription;
  }

  void answering(Function<String, String> newAnswer) {
    answer = newAnswer;
  }

  public List<String> lines() {
    return lines;
  }

  private void serveAll() {
    while (!closing) {
      try (SocketChannel client = listener.accept()) {
        current = client;
        serve(client);
      } catch (IOException ended) {
        lines.add("connection ended");
      }
    }
  }

  private void serve(SocketChannel client) throws IOException {
    BufferedReader reader = new BufferedReader(Channels.newReader(client, StandardCharsets.UTF_8));
    String line = reader.readLine();
    while (line != null) {
      lines.add(line);
      String described = description.isEmpty() ? "" : description + "\n";
      String text = line.contains("\"describe\"") ? described : answer.apply(line);
      if (text == null) {
        return;
      }
      ByteBuffer bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
      while (bytes.hasRemaining()) {
        client.write(bytes);
      }
      line = reader.readLine();
    }
  }

  /** Hangs up on the client of now; the next may come. */
  public void hangUp() throws IOException {
    current.close();
  }

  @Override
  public void close() throws IOException {
    closing = true;
    listener.close();
    SocketChannel client = current;
    if (client != null) {
      client.close();
    }
    try {
      thread.join(60_000);
    } catch (InterruptedException interrupted) {
      throw new AssertionError("interrupted while the scripted workload ends", interrupted);
    }
    if (thread.isAlive()) {
      throw new AssertionError("the scripted workload did not end");
    }
  }
}
