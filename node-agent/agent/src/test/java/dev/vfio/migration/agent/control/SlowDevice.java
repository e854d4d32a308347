package dev.vfio.migration.agent.control;

import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/**
 * The server of a vfio-user device that answers every request, and each one late: as late as a
 * client bears that waits for every answer by itself. Serves any number of clients at once.
 */
final class SlowDevice implements AutoCloseable {
  private static final int HEADER_BYTES = 16;
  private static final int FLAG_REPLY = 1;
  private static final int VERSION = 1;
  private static final int GET_INFO = 4;
  private static final int GET_REGION_INFO = 5;

  private final Path socket;
  private final Duration delay;
  private final int regions;
  private final ServerSocketChannel listener;
  private final Set<SocketChannel> clients = ConcurrentHashMap.newKeySet();
  private final CountDownLatch closed = new CountDownLatch(1);

  SlowDevice(Path socket, Duration delay, int regions) throws IOException {
    this.socket = socket;
    this.delay = delay;
    this.regions = regions;
    Files.createDirectories(socket.getParent());
    listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
    listener.bind(UnixDomainSocketAddress.of(socket), 1024);
    thread(this::accept);
  }

  /** Whether a client waits for it now. */
  boolean isAsked() {
    return !clients.isEmpty();
  }

  private static void thread(Runnable task) {
    Thread thread = new Thread(task, "slow-device");
    thread.setDaemon(true);
    thread.start();
  }

  private void accept() {
    while (listener.isOpen()) {
      try {
        SocketChannel client = listener.accept();
        clients.add(client);
        thread(() -> serve(client));
      } catch (IOException ended) {
        return;
      }
    }
  }

  private void serve(SocketChannel client) {
    try (client) {
      while (true) {
        ByteBuffer header = read(client, HEADER_BYTES);
        int command = Short.toUnsignedInt(header.getShort(2));
        ByteBuffer payload = read(client, header.getInt(4) - HEADER_BYTES);
        if (closed.await(delay.toNanos(), TimeUnit.NANOSECONDS)) {
          return;
        }
        byte[] answer = answer(command, payload);
        ByteBuffer reply =
            ByteBuffer.allocate(HEADER_BYTES + answer.length)
                .order(ByteOrder.nativeOrder())
                .putShort(header.getShort(0))
                .putShort((short) command)
                .putInt(HEADER_BYTES + answer.length)
                .putInt(FLAG_REPLY)
                .putInt(0)
                .put(answer)
                .flip();
        while (reply.hasRemaining()) {
          client.write(reply);
        }
      }
    } catch (IOException | InterruptedException ended) {
      clients.remove(client);
    }
  }

  private byte[] answer(int command, ByteBuffer payload) {
    ByteBuffer answer = ByteBuffer.allocate(64).order(ByteOrder.nativeOrder());
    switch (command) {
      case VERSION ->
          answer
              .putShort((short) 0)
              .putShort((short) 1)
              .put("{}".getBytes(StandardCharsets.UTF_8))
              .put((byte) 0);
      case GET_INFO -> answer.putInt(16).putInt(1).putInt(regions).putInt(0);
      case GET_REGION_INFO ->
          // A region of nothing, whatever was asked for.
          answer.putInt(32).putInt(0).putInt(payload.getInt(8)).putInt(0).putLong(0).putLong(0);
      default -> throw new IllegalArgumentException("command " + command);
    }
    byte[] bytes = new byte[answer.position()];
    answer.get(0, bytes);
    return bytes;
  }

  private static ByteBuffer read(SocketChannel client, int bytes) throws IOException {
    ByteBuffer buffer = ByteBuffer.allocate(bytes).order(ByteOrder.nativeOrder());
    while (buffer.hasRemaining()) {
      if (client.read(buffer) < 0) {
        throw new EOFException();
      }
    }
    return buffer.flip();
  }

  @Override
  public void close() throws IOException {
    closed.countDown();
    listener.close();
    for (SocketChannel client : clients) {
      client.close();
    }
    Files.deleteIfExists(socket);
  }
}
