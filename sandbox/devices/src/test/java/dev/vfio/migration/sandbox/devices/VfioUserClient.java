package dev.vfio.migration.sandbox.devices;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * A tiny vfio-user client for tests: one command at a time, over a plain JDK socket. Offsets and
 * numbers are written out here once more on purpose; nothing is taken from the server's code.
 */
public final class VfioUserClient implements Closeable {
  public static final int MIGRATION_REGION = 10;

  /** A reply; {@code errno} 0 for success. */
  public record Reply(int errno, ByteBuffer payload) {}

  private final SocketChannel channel;
  private short nextId = 1;

  public VfioUserClient(Path socket) throws IOException {
    channel = SocketChannel.open(UnixDomainSocketAddress.of(socket));
  }

  /** Connects and greets. */
  public static VfioUserClient connect(Path socket) throws IOException {
    VfioUserClient client = new VfioUserClient(socket);
    Reply reply = client.version("{\"capabilities\":{\"max_data_xfer_size\":1048576}}");
    if (reply.errno() != 0) {
      client.close();
      throw new IOException("VERSION refused with errno " + reply.errno());
    }
    return client;
  }

  public Reply version(String json) throws IOException {
    byte[] text = json.getBytes(StandardCharsets.UTF_8);
    ByteBuffer payload = buffer(4 + text.length + 1);
    payload.putShort((short) 0).putShort((short) 1).put(text).put((byte) 0).flip();
    return call(1, payload);
  }

  public Reply call(int command, ByteBuffer payload) throws IOException {
    send(command, 0, payload);
    return receive();
  }

  public void send(int command, int flags, ByteBuffer payload) throws IOException {
    ByteBuffer message = buffer(16 + payload.remaining());
    message.putShort(nextId++).putShort((short) command).putInt(message.capacity());
    message.putInt(flags).putInt(0).put(payload).flip();
    while (message.hasRemaining()) {
      channel.write(message);
    }
  }

  public Reply receive() throws IOException {
    ByteBuffer header = receive(16);
    if ((header.getInt(8) & 0xF) != 1 || header.getShort(0) != (short) (nextId - 1)) {
      throw new IOException("not the reply to the last command");
    }
    int errno = (header.getInt(8) & 0x20) != 0 ? header.getInt(12) : 0;
    return new Reply(errno, receive(header.getInt(4) - 16));
  }

  public Reply regionInfo(int region, int argumentSize) throws IOException {
    ByteBuffer payload = buffer(32);
    payload.putInt(argumentSize).putInt(0).putInt(region).position(32).flip();
    return call(5, payload);
  }

  public Reply read(int region, long offset, int count) throws IOException {
    ByteBuffer payload = buffer(16);
    payload.putLong(offset).putInt(region).putInt(count).flip();
    return call(9, payload);
  }

  public Reply write(int region, long offset, ByteBuffer data) throws IOException {
    ByteBuffer payload = buffer(16 + data.remaining());
    payload.putLong(offset).putInt(region).putInt(data.remaining()).put(data).flip();
    return call(10, payload);
  }

  public Reply reset() throws IOException {
    return call(13, buffer(0));
  }

  /** Writes device_state; the errno of the answer. */
  public int setState(int wire) throws IOException {
    return write(MIGRATION_REGION, 0, buffer(4).putInt(0, wire)).errno();
  }

  public int state() throws IOException {
    Reply reply = read(MIGRATION_REGION, 0, 4);
    return reply.errno() == 0 ? reply.payload().getInt(16) : -reply.errno();
  }

  /** Reads a 64-bit register; throws if it is refused. */
  public long get(long offset) throws IOException {
    Reply reply = read(MIGRATION_REGION, offset, 8);
    if (reply.errno() != 0 || reply.payload().getInt(12) != 8) {
      throw new IOException("register at " + offset + ": errno " + reply.errno());
    }
    return reply.payload().getLong(16);
  }

  /** Writes a 64-bit register; the errno of the answer. */
  public int put(long offset, long value) throws IOException {
    return write(MIGRATION_REGION, offset, buffer(8).putLong(0, value)).errno();
  }

  /** precopy_only + compatible + postcopy_only, for that threshold. */
  public long pending(long threshold) throws IOException {
    put(28, threshold);
    return get(4) + get(12) + get(20);
  }

  /** Action "get buffer": the bytes, empty if there are none now. */
  public ByteBuffer getBuffer() throws IOException {
    long offset = get(36);
    long size = get(44);
    ByteBuffer bytes = buffer((int) size);
    while (bytes.hasRemaining()) {
      int count = Math.min(bytes.remaining(), 1 << 20);
      Reply reply = read(MIGRATION_REGION, offset + bytes.position(), count);
      if (reply.errno() != 0 || reply.payload().remaining() != 16 + count) {
        throw new IOException("data: errno " + reply.errno());
      }
      bytes.put(reply.payload().position(16));
    }
    return bytes.flip();
  }

  /** Action "set buffer" at the region's offset 76 or later; the errno of the commit. */
  public int setBuffer(long offset, ByteBuffer bytes) throws IOException {
    for (int done = 0; done < bytes.limit(); done += 1 << 20) {
      int count = Math.min(bytes.limit() - done, 1 << 20);
      Reply reply = write(MIGRATION_REGION, offset + done, bytes.slice(done, count));
      if (reply.errno() != 0) {
        return reply.errno();
      }
    }
    int errno = put(36, offset);
    return errno != 0 ? errno : put(44, bytes.limit());
  }

  public static ByteBuffer buffer(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.nativeOrder());
  }

  @Override
  public void close() throws IOException {
    channel.close();
  }

  private ByteBuffer receive(int size) throws IOException {
    ByteBuffer bytes = buffer(size);
    while (bytes.hasRemaining()) {
      if (channel.read(bytes) < 0) {
        throw new EOFException("the server ended the connection");
      }
    }
    return bytes.flip();
  }
}
