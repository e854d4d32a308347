package dev.vfio.migration.agent.stream.netty;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/** The network between two agents, which can be cut, silenced and tampered with. */
final class Relay implements AutoCloseable {
  private final ServerSocket listener;
  private final int target;
  private final List<Socket> sockets = new CopyOnWriteArrayList<>();
  private final AtomicLong readsToDestination = new AtomicLong();
  private final AtomicLong readsToSource = new AtomicLong();
  private final AtomicBoolean flipNext = new AtomicBoolean();
  private final AtomicInteger drops = new AtomicInteger();
  private final AtomicInteger accepted = new AtomicInteger();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition speaks = lock.newCondition();
  private boolean silent;

  Relay(int target) throws IOException {
    this.target = target;
    this.listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
    begin(this::acceptAll);
  }

  int port() {
    return listener.getLocalPort();
  }

  /** Times that bytes came from the source. */
  long readsToDestination() {
    return readsToDestination.get();
  }

  /** Times that bytes came from the destination. */
  long readsToSource() {
    return readsToSource.get();
  }

  /** Connections of sources so far. */
  int accepted() {
    return accepted.get();
  }

  /** Resets the next so many connections, as a destination does that needs their room. */
  void dropNext(int count) {
    drops.set(count);
  }

  /** From now on nothing passes, and no end is informed. */
  void silence() {
    lock.lock();
    try {
      silent = true;
    } finally {
      lock.unlock();
    }
  }

  /** Turns one bit of the next bytes from the source around. */
  void flipNextBit() {
    flipNext.set(true);
  }

  /** Resets every connection, as the kernel does for a process that was killed. */
  void cut() throws IOException {
    for (Socket socket : sockets) {
      sockets.remove(socket);
      if (!socket.isClosed()) {
        socket.setSoLinger(true, 0);
        socket.close();
      }
    }
  }

  /** The same, and each new one from here on. */
  void cutForGood() throws IOException {
    dropNext(Integer.MAX_VALUE);
    cut();
  }

  private void acceptAll() throws IOException {
    while (true) {
      Socket source = listener.accept();
      accepted.incrementAndGet();
      if (drops.getAndDecrement() > 0) {
        source.setSoLinger(true, 0);
        source.close();
        continue;
      }
      Socket destination = new Socket(InetAddress.getLoopbackAddress(), target);
      sockets.add(source);
      sockets.add(destination);
      begin(() -> carry(source, destination, readsToDestination, flipNext));
      begin(() -> carry(destination, source, readsToSource, new AtomicBoolean()));
    }
  }

  private void carry(Socket from, Socket to, AtomicLong reads, AtomicBoolean flip)
      throws IOException {
    InputStream in = from.getInputStream();
    byte[] bytes = new byte[16 * 1024];
    for (int length = in.read(bytes); length >= 0; length = in.read(bytes)) {
      awaitSpeech();
      if (flip.compareAndSet(true, false)) {
        bytes[length - 1] ^= 0x10;
      }
      to.getOutputStream().write(bytes, 0, length);
      reads.incrementAndGet();
    }
    to.shutdownOutput();
  }

  private void awaitSpeech() {
    lock.lock();
    try {
      while (silent) {
        speaks.awaitUninterruptibly();
      }
    } finally {
      lock.unlock();
    }
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
              } catch (SocketException closed) {
                // That is how a cut looks from here.
                return;
              } catch (IOException unexpected) {
                throw new IllegalStateException(unexpected);
              }
            },
            "relay");
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
