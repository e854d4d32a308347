package dev.vfio.migration.vfio.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;

/**
 * The server's end of a Unix stream socket for tests: listens, accepts, moves bytes and passes file
 * descriptors, which the JDK's own sockets cannot.
 */
public final class PassingSocket implements AutoCloseable {
  private static final int BACKLOG = 16;

  static {
    Native.register(PassingSocket.class, Platform.C_LIBRARY_NAME);
  }

  private final Descriptor socket;
  private boolean closed;

  private PassingSocket(int number) {
    this.socket = new Descriptor(number);
  }

  private static native int bind(int fd, byte[] address, int length);

  private static native int listen(int fd, int backlog);

  private static native int accept4(int fd, long address, long length, int flags);

  private static native long read(int fd, byte[] bytes, long count);

  private static native long write(int fd, byte[] bytes, long count);

  public static PassingSocket listen(Path path) throws ErrnoException {
    int fd = LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
    ByteBuffer address =
        ByteBuffer.allocate(SocketLayout.ADDRESS_BYTES).order(ByteOrder.nativeOrder());
    address.putShort((short) LibC.AF_UNIX).put(path.toString().getBytes(StandardCharsets.UTF_8));
    PassingSocket listener = new PassingSocket(check("socket", fd));
    check("bind", bind(fd, address.array(), SocketLayout.ADDRESS_BYTES));
    check("listen", listen(fd, BACKLOG));
    return listener;
  }

  /** Waits for a client. */
  public PassingSocket accept() throws ErrnoException {
    return new PassingSocket(check("accept", accept4(socket.number(), 0, 0, LibC.SOCK_CLOEXEC)));
  }

  /** Reads exactly that many bytes; null at the end of the stream. */
  public ByteBuffer read(int count) throws ErrnoException {
    ByteBuffer all = ByteBuffer.allocate(count).order(ByteOrder.nativeOrder());
    while (all.hasRemaining()) {
      byte[] some = new byte[all.remaining()];
      int got = (int) read(socket.number(), some, some.length);
      if (check("read", got) == 0) {
        return null;
      }
      all.put(some, 0, got);
    }
    return all.flip();
  }

  public void write(byte[] bytes) throws ErrnoException {
    int done = 0;
    while (done < bytes.length) {
      byte[] rest = Arrays.copyOfRange(bytes, done, bytes.length);
      done += check("write", (int) write(socket.number(), rest, rest.length));
    }
  }

  /** Writes the bytes with copies of a descriptor attached to the first of them. */
  public void write(byte[] bytes, Descriptor attached, int copies) throws ErrnoException {
    int controlLength = SocketLayout.CONTROL_BYTES + copies * Integer.BYTES;
    ByteBuffer data = ByteBuffer.allocateDirect(bytes.length).put(0, bytes);
    ByteBuffer area =
        ByteBuffer.allocateDirect(
                SocketLayout.MESSAGE_BYTES + SocketLayout.IOVEC_BYTES + controlLength + 8)
            .order(ByteOrder.nativeOrder());
    long address = LibC.addressOf(area);
    int iovec = SocketLayout.MESSAGE_BYTES;
    int control = iovec + SocketLayout.IOVEC_BYTES;
    area.putLong(SocketLayout.MESSAGE_IOVECS, address + iovec)
        .putLong(SocketLayout.MESSAGE_IOVEC_COUNT, 1)
        .putLong(SocketLayout.MESSAGE_CONTROL, address + control)
        .putLong(SocketLayout.MESSAGE_CONTROL_LENGTH, controlLength)
        .putLong(iovec + SocketLayout.IOVEC_BASE, LibC.addressOf(data))
        .putLong(iovec + SocketLayout.IOVEC_LENGTH, bytes.length)
        .putLong(control + SocketLayout.CONTROL_LENGTH, controlLength)
        .putInt(control + SocketLayout.CONTROL_LEVEL, LibC.SOL_SOCKET)
        .putInt(control + SocketLayout.CONTROL_TYPE, LibC.SCM_RIGHTS);
    for (int i = 0; i < copies; i++) {
      area.putInt(control + SocketLayout.CONTROL_BYTES + i * Integer.BYTES, attached.number());
    }
    int sent = (int) LibC.sendmsg(socket.number(), address, LibC.MSG_NOSIGNAL);
    Reference.reachabilityFence(data);
    Reference.reachabilityFence(area);
    check("sendmsg", sent);
    write(Arrays.copyOfRange(bytes, sent, bytes.length));
  }

  private static int check(String call, int answer) throws ErrnoException {
    if (answer < 0) {
      throw new ErrnoException(call, LibC.lastErrno());
    }
    return answer;
  }

  /** Wakes whoever waits in this socket. */
  public synchronized void shutdown() {
    if (!closed) {
      LibC.shutdown(socket.number(), LibC.SHUT_RDWR);
    }
  }

  @Override
  public synchronized void close() {
    closed = true;
    socket.close();
  }
}
