package dev.vfio.migration.agent.stream.netty;

import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** The network between two agents, which is cut once at a chosen TLS record. */
final class RecordRelay implements AutoCloseable {

  /** Which records are counted. */
  enum Way {
    TO_DESTINATION,
    TO_SOURCE
  }

  private static final int RECORD_HEADER_BYTES = 5;

  private final ServerSocket listener;
  private final int target;
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private Way way;
  private int recordsLeft;
  private boolean amid;
  private int cuts;

  RecordRelay(int target) throws IOException {
    this.target = target;
    this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    begin(this::acceptAll);
  }

  int port() {
    return listener.getLocalPort();
  }

  /**
   * Resets all connections once so many further records have passed that way.
   *
   * @param half whether half of the next one passes, too
   */
  synchronized void cutAt(Way counted, int records, boolean half) {
    way = counted;
    recordsLeft = records;
    amid = half;
  }

  /** 1 once it was cut. */
  synchronized int cuts() {
    return cuts;
  }

  private void acceptAll() throws IOException {
    while (true) {
      Socket source = listener.accept();
      Socket destination = new Socket(InetAddress.getLoopbackAddress(), target);
      source.setTcpNoDelay(true);
      destination.setTcpNoDelay(true);
      sockets.add(source);
      sockets.add(destination);
      begin(() -> carry(source, destination, Way.TO_DESTINATION));
      begin(() -> carry(destination, source, Way.TO_SOURCE));
    }
  }

  private void carry(Socket from, Socket to, Way travelled) throws IOException {
    DataInputStream in = new DataInputStream(from.getInputStream());
    OutputStream out = to.getOutputStream();
    while (true) {
      byte[] header = new byte[RECORD_HEADER_BYTES];
      in.readFully(header);
      int length = (header[3] & 0xFF) << 8 | header[4] & 0xFF;
      byte[] record = new byte[RECORD_HEADER_BYTES + length];
      System.arraycopy(header, 0, record, 0, RECORD_HEADER_BYTES);
      in.readFully(record, RECORD_HEADER_BYTES, length);
      if (isCutHere(travelled)) {
        if (amid) {
          out.write(record, 0, record.length / 2);
        }
        cut(from, to);
        return;
      }
      out.write(record);
    }
  }

  private synchronized boolean isCutHere(Way travelled) {
    if (travelled != way || cuts > 0) {
      return false;
    }
    if (recordsLeft > 0) {
      recordsLeft--;
      return false;
    }
    cuts++;
    return true;
  }

  /** What was written before arrives: an end that was sent in order follows it. */
  private static void cut(Socket from, Socket to) throws IOException {
    to.shutdownOutput();
    from.setSoLinger(true, 0);
    from.close();
  }

  private interface Work {
    void run() throws IOException;
  }

  private static void begin(Work work) {
    Thread thread =
        new Thread(
            () -> {
              try {
                work.run();
              } catch (SocketException | EOFException closed) {
                // That is how a cut looks from here.
                return;
              } catch (IOException unexpected) {
                throw new IllegalStateException(unexpected);
              }
            },
            "record-relay");
    thread.setDaemon(true);
    thread.start();
  }

  @Override
  public void close() throws IOException {
    listener.close();
    for (Socket socket : sockets) {
      socket.close();
    }
  }
}
