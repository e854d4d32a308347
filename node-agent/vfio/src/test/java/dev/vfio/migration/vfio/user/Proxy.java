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
  private final List<SocketChannel> open = new CopyOnWriteArrayList<>();
  private final AtomicInteger connections = new AtomicInteger();

  Proxy(Path socket, Path target) throws IOException {
    this.target = target;
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket));
    daemon(this::acceptAll);
  }

  int connections() {
    return connections.get();
  }

  private static void daemon(Runnable work) {
    Thread thread = new Thread(work, "proxy");
    thread.setDaemon(true);
    thread.start();
  }

  private void acceptAll() {
    try {
      while (listener.isOpen()) {
        SocketChannel near = listener.accept();
        SocketChannel far = SocketChannel.open(UnixDomainSocketAddress.of(target));
        connections.incrementAndGet();
        open.addAll(List.of(near, far));
        daemon(() -> pump(near, far));
        daemon(() -> pump(far, near));
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

  @Override
  public void close() throws IOException {
    listener.close();
    for (SocketChannel channel : open) {
      channel.close();
    }
  }
}
