package dev.vfio.migration.sandbox.devices.unixsocket;

import com.sun.jna.LastErrorException;
import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A client socket for tests that takes a file descriptor with what it receives. */
public final class DescriptorReceiver implements AutoCloseable {
  static {
    Native.register(DescriptorReceiver.class, Platform.C_LIBRARY_NAME);
  }

  private final int fd;

  private static native int connect(int fd, long address, int length) throws LastErrorException;

  private static native long recvmsg(int fd, long message, int flags) throws LastErrorException;

  /** Connects to the socket at {@code path}. */
  public DescriptorReceiver(Path path) {
    fd = DescriptorCalls.socket(DescriptorCalls.AF_UNIX, DescriptorCalls.SOCK_STREAM, 0);
    ByteBuffer address = ByteBuffer.allocateDirect(110).order(ByteOrder.nativeOrder());
    address.putShort((short) DescriptorCalls.AF_UNIX);
    address.put(path.toString().getBytes(StandardCharsets.UTF_8));
    connect(fd, DescriptorCalls.addressOf(address), 110);
  }

  /** What came, and the descriptor that came with it; -1 for none. */
  public record Received(ByteBuffer bytes, int descriptor) {}

  public Received exchange(ByteBuffer request, int replySize) throws IOException {
    ByteBuffer direct = ByteBuffer.allocateDirect(request.remaining());
    direct.put(request).flip();
    MessageHeader out = new MessageHeader();
    out.pieces(DescriptorCalls.addressOf(direct), direct.remaining(), 0, 0);
    out.descriptor(-1);
    if (DescriptorCalls.sendmsg(fd, out.address(), 0) != direct.remaining()) {
      throw new IOException("the request was cut");
    }
    ByteBuffer reply = ByteBuffer.allocateDirect(replySize).order(ByteOrder.nativeOrder());
    ByteBuffer control = ByteBuffer.allocateDirect(64).order(ByteOrder.nativeOrder());
    ByteBuffer vector = ByteBuffer.allocateDirect(16).order(ByteOrder.nativeOrder());
    vector.putLong(0, DescriptorCalls.addressOf(reply)).putLong(8, replySize);
    ByteBuffer header = ByteBuffer.allocateDirect(56).order(ByteOrder.nativeOrder());
    header.putLong(16, DescriptorCalls.addressOf(vector)).putLong(24, 1);
    header.putLong(32, DescriptorCalls.addressOf(control)).putLong(40, 64);
    int got = (int) recvmsg(fd, DescriptorCalls.addressOf(header), 0);
    boolean passed = header.getLong(40) > 0 && control.getInt(12) == DescriptorCalls.SCM_RIGHTS;
    return new Received(reply.limit(got), passed ? control.getInt(16) : -1);
  }

  /** Maps what the descriptor stands for and closes the descriptor. */
  public static MappedByteBuffer map(int descriptor, long offset, long size) throws IOException {
    try (FileChannel channel =
        FileChannel.open(
            Path.of("/proc/self/fd/" + descriptor),
            StandardOpenOption.READ,
            StandardOpenOption.WRITE)) {
      return channel.map(FileChannel.MapMode.READ_WRITE, offset, size);
    } finally {
      DescriptorCalls.close(descriptor);
    }
  }

  @Override
  public void close() {
    DescriptorCalls.close(fd);
  }
}
