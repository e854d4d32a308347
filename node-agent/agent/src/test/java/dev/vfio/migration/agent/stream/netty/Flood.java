package dev.vfio.migration.agent.stream.netty;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;

/** Somebody who connects and never says who they are, from one or many loopback addresses. */
final class Flood implements AutoCloseable {
  /** Of the flood that goes on: what it holds at a time. */
  private static final int HELD = 500;

  private final int port;
  private final List<String> addresses;
  private final Deque<SocketChannel> open = new ArrayDeque<>();
  private final Thread thread = new Thread(this::goOn, "flood");
  private volatile boolean ended;
  private volatile long made;

  Flood(int port, List<String> addresses) {
    this.port = port;
    this.addresses = addresses;
    thread.setDaemon(true);
  }

  /** Holds that many connections, which send these bytes and nothing more. */
  Flood hold(int count, byte... bytes) throws IOException {
    for (int index = 0; index < count; index++) {
      connect(bytes);
    }
    return this;
  }

  private void connect(byte... bytes) throws IOException {
    SocketChannel channel = SocketChannel.open();
    open.add(channel);
    // Else this machine would soon have no ports left.
    channel.setOption(StandardSocketOptions.SO_LINGER, 0);
    String address = addresses.get((int) (made++ % addresses.size()));
    if (!address.equals("127.0.0.1")) {
      channel.bind(new InetSocketAddress(address, 0));
    }
    channel.connect(new InetSocketAddress("127.0.0.1", port));
    if (bytes.length > 0) {
      channel.write(ByteBuffer.wrap(bytes));
    }
  }

  /** From now on connects again and again, as fast as it can, and holds the newest. */
  Flood begin() {
    thread.start();
    return this;
  }

  private void goOn() {
    while (!ended) {
      try {
        connect();
      } catch (IOException refused) {
        // That is what it is for. The next one may get in.
        continue;
      } finally {
        while (open.size() > HELD) {
          close(open.removeFirst());
        }
      }
    }
  }

  long made() {
    return made;
  }

  private static void close(SocketChannel channel) {
    try {
      channel.close();
    } catch (IOException trouble) {
      throw new IllegalStateException(trouble);
    }
  }

  @Override
  public void close() throws InterruptedException {
    ended = true;
    thread.join(60_000);
    if (thread.isAlive()) {
      throw new IllegalStateException("the flood did not end");
    }
    open.forEach(Flood::close);
  }
}
