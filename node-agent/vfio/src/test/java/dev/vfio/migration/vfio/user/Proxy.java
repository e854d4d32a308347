package dev.vfio.migration.vfio.user;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;

/** Hands whatever is said at one Unix socket on to another, and the answers back. */
final class Proxy implements AutoCloseable {
  private final ServerSocketChannel listener;
  private final Path target;
  private final List<Thread> threads = new CopyOnWriteArrayList<>();
  private final List<SocketChannel> open = new CopyOnWriteArrayList<>();
  private final AtomicInteger connections = new AtomicInteger();

  Proxy(Path socket, Path target) throws IOException {
    this.target = target;
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket));
    start(this::acceptAll);
  }

  int connections() {
    return connections.get();
  }

  private void start(Runnable work) {
    Thread thread = new Thread(work, "proxy");
    thread.setDaemon(true);
    threads.add(thread);
    thread.start();
  }

  private void acceptAll() {
    try {
      while (listener.isOpen()) {
        SocketChannel near = listener.accept();
        SocketChannel far = SocketChannel.open(UnixDomainSocketAddress.of(target));
        connections.incrementAndGet();
        open.addAll(List.of(near, far));
        start(() -> pump(near, far));
        start(() -> pump(far, near));
      }
    } catch (ClosedChannelException ended) {
      // By close().
    } catch (IOException failure) {
      throw new AssertionError("the proxy failed", failure);
    }
  }

  private static void pump(SocketChannel from, SocketChannel to) {
    ByteBuffer bytes = ByteBuffer.allocate(4096);
    try (from;
        to) {
      while (from.read(bytes) >= 0) {
        bytes.flip();
        while (bytes.hasRemaining()) {
          to.write(bytes);
        }
        bytes.clear();
      }
    } catch (IOException ended) {
      // The other direction closed both.
    }
  }

  /** A channel that a thread waits in is closed only when that thread has noticed it. */
  @Override
  public void close() throws IOException {
    listener.close();
    join(threads.get(0));
    for (SocketChannel channel : open) {
      channel.close();
    }
    threads.forEach(Proxy::join);
  }

  private static void join(Thread thread) {
    try {
      thread.join(60_000);
    } catch (InterruptedException interrupted) {
      throw new AssertionError("interrupted while the proxy ends", interrupted);
    }
    if (thread.isAlive()) {
      throw new AssertionError("a thread of the proxy did not end");
    }
  }
}
