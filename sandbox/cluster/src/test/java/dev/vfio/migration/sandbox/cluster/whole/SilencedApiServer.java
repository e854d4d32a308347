package dev.vfio.migration.sandbox.cluster.whole;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * The API server as one client sees it that is to die between a write and its answer: once the
 * client has sent certain words, everything that it sends still arrives, and nothing comes back to
 * it any more. Two threads for each connection.
 */
final class SilencedApiServer implements AutoCloseable {
  private static final int BUFFER_BYTES = 16 * 1024;

  private final ServerSocket listener;
  private final InetSocketAddress server;
  private final String words;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private boolean silent;
  private boolean closed;

  private SilencedApiServer(ServerSocket listener, InetSocketAddress server, String words) {
    this.listener = listener;
    this.server = server;
    this.words = words;
  }

  /**
   * Listens beside the server, on a free port of its address.
   *
   * @param words the client's last ones that are answered to nobody
   */
  static SilencedApiServer open(InetSocketAddress server, String words) throws IOException {
    ServerSocket listener = new ServerSocket();
    listener.bind(new InetSocketAddress(server.getAddress(), 0));
    SilencedApiServer silenced = new SilencedApiServer(listener, server, words);
    silenced.daemon(silenced::accept);
    return silenced;
  }

  /** For the one client. */
  Path writeKubeconfig(Path file) throws IOException {
    return Files.writeString(
        file,
        """
        apiVersion: v1
        kind: Config
        clusters:
        - {name: sandbox, cluster: {server: "http://%s:%d"}}
        contexts:
        - {name: sandbox, context: {cluster: sandbox, user: sandbox, namespace: default}}
        current-context: sandbox
        users:
        - {name: sandbox, user: {}}
        """
            .formatted(server.getAddress().getHostAddress(), listener.getLocalPort()));
  }

  /** Whether the words were sent. */
  synchronized boolean silent() {
    return silent;
  }

  private void accept() throws IOException {
    while (true) {
      Socket client = listener.accept();
      Socket behind = new Socket();
      sockets.add(client);
      sockets.add(behind);
      behind.connect(server);
      daemon(() -> forth(client.getInputStream(), behind.getOutputStream()));
      daemon(() -> back(behind.getInputStream(), client.getOutputStream()));
    }
  }

  private void forth(InputStream in, OutputStream out) throws IOException {
    byte[] buffer = new byte[BUFFER_BYTES];
    String tail = "";
    int count;
    while ((count = in.read(buffer)) > 0) {
      String said = tail + new String(buffer, 0, count, StandardCharsets.ISO_8859_1);
      if (said.contains(words)) {
        beSilent();
      }
      tail = said.substring(Math.max(0, said.length() - words.length()));
      out.write(buffer, 0, count);
    }
  }

  private synchronized void beSilent() {
    silent = true;
  }

  private void back(InputStream in, OutputStream out) throws IOException, InterruptedException {
    byte[] buffer = new byte[BUFFER_BYTES];
    int count;
    while ((count = in.read(buffer)) > 0) {
      awaitSpeech();
      out.write(buffer, 0, count);
    }
  }

  private synchronized void awaitSpeech() throws InterruptedException {
    while (silent && !closed) {
      wait();
    }
  }

  /** What ends as sockets do. */
  @FunctionalInterface
  private interface Work {
    void run() throws IOException, InterruptedException;
  }

  private void daemon(Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (IOException connectionEnded) {
                // The client has died, or the test has ended.
                return;
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            },
            "silenced-api-server");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : sockets) {
      socket.close();
    }
    synchronized (this) {
      closed = true;
      notifyAll();
    }
  }
}
