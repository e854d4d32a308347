package dev.vfio.migration.sandbox.cluster.link;

import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * A TCP link on the loopback interface that does on demand what links do: it breaks, it stands
 * still, in one direction or both, it changes a bit. Two threads for each connection; safe for use
 * by several threads.
 */
public final class FaultyLink implements AutoCloseable {
  private static final int BUFFER_BYTES = 16 * 1024;

  /** What the link does to bytes that travel from the client to the server. */
  private enum Mode {
    PASS,
    /** Nothing travels; connections stay open. */
    STALL,
    /** Connections are reset, new ones too. */
    CUT
  }

  /** What is to happen once a number of further bytes has passed. */
  private record Ambush(long afterBytes, Trick trick, Duration lasts) {}

  private enum Trick {
    CUT,
    STALL,
    FLIP_BIT
  }

  private final ServerSocket listener;
  private final InetSocketAddress target;
  private final Set<Socket> sockets = ConcurrentHashMap.newKeySet();
  private Mode mode = Mode.PASS;
  private Ambush ambush;
  private String lastWords = "";
  private boolean answersHeld;
  private long passedBytes;

  private FaultyLink(ServerSocket listener, InetSocketAddress target) {
    this.listener = listener;
    this.target = target;
  }

  /** Listens on that address, with port 0 on a free one, and connects each client to the target. */
  public static FaultyLink open(InetSocketAddress address, InetSocketAddress target)
      throws IOException {
    ServerSocket listener = new ServerSocket();
    listener.setReuseAddress(true);
    listener.bind(address);
    FaultyLink link = new FaultyLink(listener, target);
    daemon("link-" + address, link::accept);
    return link;
  }

  /** Where it listens. */
  public InetSocketAddress address() {
    return (InetSocketAddress) listener.getLocalSocketAddress();
  }

  /** Resets every connection, and each new one, until {@link #restore()}. */
  public synchronized void cut() {
    mode = Mode.CUT;
    ambush = null;
    notifyAll();
    resetAll();
  }

  /** Lets nothing through, in either direction, until {@link #restore()}. */
  public synchronized void stall() {
    mode = Mode.STALL;
    ambush = null;
  }

  /** Cuts once the clients have sent that many more bytes. */
  public synchronized void cutAfter(long bytes) {
    ambush = new Ambush(passedBytes + bytes, Trick.CUT, null);
  }

  /** The same, and is a good link again after that time. */
  public synchronized void cutAfter(long bytes, Duration lasts) {
    ambush = new Ambush(passedBytes + bytes, Trick.CUT, lasts);
  }

  /** Stalls once the clients have sent that many more bytes. */
  public synchronized void stallAfter(long bytes) {
    ambush = new Ambush(passedBytes + bytes, Trick.STALL, null);
  }

  /** Changes one bit of what the clients send, once they have sent that many more bytes. */
  public synchronized void flipBitAfter(long bytes) {
    ambush = new Ambush(passedBytes + bytes, Trick.FLIP_BIT, null);
  }

  /**
   * Once the clients have sent these words, all that they send still arrives, and nothing comes
   * back to them until {@link #restore()}: so a client dies between a write and its answer.
   *
   * @param words ASCII, not empty; in one connection, across as many packets as they take
   */
  public synchronized void holdAnswersAfter(String words) {
    lastWords = words;
  }

  /** Whether those words were sent, and nothing comes back since. */
  public synchronized boolean holdsAnswers() {
    return answersHeld;
  }

  /** Whether what was asked for with an {@code ...After} method is still to come. */
  public synchronized boolean ambushed() {
    return ambush != null;
  }

  /** A good link again; connections that were stalled go on. */
  public synchronized void restore() {
    mode = Mode.PASS;
    ambush = null;
    lastWords = "";
    answersHeld = false;
    notifyAll();
  }

  private void accept() {
    while (!listener.isClosed()) {
      try {
        Socket client = listener.accept();
        if (refuses()) {
          reset(client);
          continue;
        }
        connect(client);
      } catch (IOException e) {
        if (!listener.isClosed()) {
          throw new UncheckedIOException("the link at " + listener + " broke by itself", e);
        }
      }
    }
  }

  private synchronized boolean refuses() {
    return mode == Mode.CUT;
  }

  private void connect(Socket client) {
    Socket server = new Socket();
    sockets.add(client);
    sockets.add(server);
    try {
      server.connect(target);
      client.setTcpNoDelay(true);
      server.setTcpNoDelay(true);
    } catch (IOException nobodyThere) {
      // What the client would see without a link: its connection is reset.
      reset(client);
      closeQuietly(server);
      return;
    }
    daemon("link-forth", () -> pump(client, server, true));
    daemon("link-back", () -> pump(server, client, false));
  }

  private void pump(Socket from, Socket to, boolean forth) {
    byte[] buffer = new byte[BUFFER_BYTES];
    try {
      InputStream in = from.getInputStream();
      OutputStream out = to.getOutputStream();
      String tail = "";
      int count;
      while ((count = in.read(buffer)) > 0) {
        if (forth) {
          waylay(buffer, count);
          tail = listen(tail, buffer, count);
        }
        awaitPassage(forth);
        out.write(buffer, 0, count);
      }
      to.shutdownOutput();
    } catch (IOException connectionEnded) {
      reset(from);
      reset(to);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      reset(from);
      reset(to);
    }
  }

  private synchronized void waylay(byte[] buffer, int count) {
    passedBytes += count;
    if (ambush == null || passedBytes < ambush.afterBytes()) {
      return;
    }
    Duration lasts = ambush.lasts();
    Runnable trick =
        switch (ambush.trick()) {
          case CUT -> this::cut;
          case STALL -> this::stall;
          case FLIP_BIT -> () -> buffer[count / 2] ^= 1;
        };
    ambush = null;
    trick.run();
    if (lasts != null) {
      daemon("link-mended", () -> restoreAfter(lasts));
    }
  }

  private void restoreAfter(Duration outage) {
    try {
      Thread.sleep(outage.toMillis());
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
    }
    restore();
  }

  /**
   * @param tail end of what the same client sent before
   * @return the same with these bytes
   */
  private synchronized String listen(String tail, byte[] buffer, int count) {
    if (lastWords.isEmpty()) {
      return "";
    }
    String said = tail + new String(buffer, 0, count, StandardCharsets.ISO_8859_1);
    answersHeld |= said.contains(lastWords);
    return said.substring(Math.max(0, said.length() - lastWords.length()));
  }

  private synchronized void awaitPassage(boolean forth) throws IOException, InterruptedException {
    while ((mode == Mode.STALL || answersHeld && !forth) && !listener.isClosed()) {
      wait();
    }
    if (mode == Mode.CUT) {
      throw new IOException("the link is cut");
    }
  }

  private void resetAll() {
    List<Socket> all = new ArrayList<>(sockets);
    all.forEach(this::reset);
  }

  /** Closes with a TCP reset rather than an orderly end, as a dead link does. */
  private void reset(Socket socket) {
    try {
      if (!socket.isClosed()) {
        socket.setSoLinger(true, 0);
      }
    } catch (IOException alreadyClosed) {
      // There is nothing left to reset.
    }
    closeQuietly(socket);
  }

  private void closeQuietly(Closeable socket) {
    sockets.remove(socket);
    try {
      socket.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void daemon(String name, Runnable work) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public synchronized void close() throws IOException {
    listener.close();
    notifyAll();
    resetAll();
  }
}
