package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;

/**
 * One end of a Unix stream socket that scatters, gathers, and receives file descriptors. Only
 * direct buffers: the kernel copies straight between them and the socket.
 *
 * <p>One thread sends and receives at a time. {@link #close()} may come from any thread; it wakes a
 * call that waits.
 */
public final class UnixStream implements AutoCloseable {
  /**
   * The most file descriptors that one list takes, however many calls of {@link #receive} fill it.
   */
  public static final int MAX_DESCRIPTORS = 8;

  /**
   * Asked for; the kernel grants what its limit allows. Bulk data then goes in fewer, larger
   * pieces.
   */
  private static final int SEND_BUFFER_BYTES = 1 << 20;

  private static final int MAX_PARTS = 2;
  private static final int IOVECS = SocketLayout.MESSAGE_BYTES;
  private static final int CONTROL = IOVECS + MAX_PARTS * SocketLayout.IOVEC_BYTES;
  private static final int CONTROL_CAPACITY =
      SocketLayout.CONTROL_BYTES + MAX_DESCRIPTORS * Integer.BYTES;

  private static final int POLL_BYTES = 8;
  private static final int POLL_EVENTS = 4;

  private final Descriptor socket;
  private final AtomicBoolean closing = new AtomicBoolean();
  private final ReentrantLock inUse = new ReentrantLock();
  private final ByteBuffer message = NativeMemory.allocate(CONTROL + CONTROL_CAPACITY);
  private final long messageAddress = LibC.addressOf(message);

  /** A {@code struct pollfd}. */
  private final ByteBuffer waited = NativeMemory.allocate(POLL_BYTES);

  private volatile long timeoutNanos;

  UnixStream(Descriptor socket) {
    this.socket = socket;
  }

  Descriptor descriptor() {
    return socket;
  }

  /**
   * Sends a message that the caller laid out.
   *
   * @param address of its {@code struct msghdr}
   * @return bytes sent, at least one
   */
  long sendMessage(long address) throws ErrnoException {
    inUse.lock();
    try {
      return SystemCall.retried(
          "sendmsg", () -> LibC.sendmsg(number(), address, LibC.MSG_NOSIGNAL));
    } finally {
      inUse.unlock();
    }
  }

  /**
   * Connects.
   *
   * @param path shorter than 108 bytes
   * @param timeout how long to wait, here and until {@link #timeout(Duration)} says otherwise also
   *     in every later call
   * @throws ErrnoException as {@code connect} has it; ENAMETOOLONG for a path that is too long
   */
  public static UnixStream connect(Path path, Duration timeout) throws ErrnoException {
    return connect(path, path, timeout);
  }

  /**
   * Connects to the very socket that a descriptor names, wherever its name leads by now. Its path
   * may be of any length.
   *
   * @param socket stays its owner's
   * @param shown its path in the message of a failure
   * @param timeout as {@link #connect(Path, Duration)} has it
   * @throws ErrnoException as {@code connect} has it
   */
  public static UnixStream connect(Descriptor socket, Path shown, Duration timeout)
      throws ErrnoException {
    return connect(OpenFile.path(socket), shown, timeout);
  }

  private static UnixStream connect(Path path, Path shown, Duration timeout) throws ErrnoException {
    byte[] name = SocketLayout.pathBytes(path, "connect(" + shown + ")");
    int fd = LibC.socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
    if (fd < 0) {
      throw new ErrnoException("socket(AF_UNIX)", LibC.lastErrno());
    }
    UnixStream stream = new UnixStream(new Descriptor(fd));
    try {
      stream.timeout(timeout);
      stream.connect(shown, name);
      return stream;
    } catch (ErrnoException | RuntimeException failure) {
      stream.close();
      throw failure;
    }
  }

  private void connect(Path shown, byte[] name) throws ErrnoException {
    ByteBuffer address = NativeMemory.allocate(SocketLayout.ADDRESS_BYTES);
    address.putShort(SocketLayout.ADDRESS_FAMILY, (short) LibC.AF_UNIX);
    address.put(SocketLayout.ADDRESS_PATH, name);
    SystemCall.retried(
        "connect(" + shown + ")",
        () -> LibC.connect(socket.number(), LibC.addressOf(address), SocketLayout.ADDRESS_BYTES));
    // An optimisation only: the kernel's own size serves as well.
    option(LibC.SO_SNDBUF, Integer.BYTES, SEND_BUFFER_BYTES);
  }

  /** A call that does not wait for the peer; answers as the kernel does. */
  @FunctionalInterface
  interface OptionCall {
    int on(int socket);
  }

  /**
   * Makes a call on the socket, which is not closed before that is done.
   *
   * @param what in the message of a failure
   * @throws ErrnoException as the call has it; EBADF after {@link #close()}
   */
  void option(String what, OptionCall call) throws ErrnoException {
    inUse.lock();
    try {
      if (call.on(number()) < 0) {
        throw new ErrnoException(what, LibC.lastErrno());
      }
    } finally {
      inUse.unlock();
    }
  }

  /**
   * How long a later call waits for the peer, at least 1 ms, all its waits together.
   *
   * @throws ErrnoException where the kernel refuses; EBADF after {@link #close()}
   */
  public void timeout(Duration timeout) throws ErrnoException {
    ByteBuffer time = NativeMemory.allocate(SocketLayout.TIME_BYTES);
    time.putLong(SocketLayout.TIME_SECONDS, timeout.getSeconds());
    // Zero and zero would mean for ever.
    time.putLong(SocketLayout.TIME_MICROSECONDS, Math.max(1000, timeout.getNano() / 1000));
    for (int name : new int[] {LibC.SO_RCVTIMEO, LibC.SO_SNDTIMEO}) {
      option(
          "setsockopt of the timeout",
          fd ->
              LibC.setsockopt(
                  fd, LibC.SOL_SOCKET, name, LibC.addressOf(time), SocketLayout.TIME_BYTES));
    }
    Reference.reachabilityFence(time);
    timeoutNanos = timeout.toNanos();
  }

  private void option(int name, int bytes, int value) {
    ByteBuffer holder = NativeMemory.allocate(bytes);
    holder.putInt(0, value);
    LibC.setsockopt(
        socket.number(), LibC.SOL_SOCKET, name, LibC.addressOf(holder), holder.capacity());
    Reference.reachabilityFence(holder);
  }

  /**
   * The user id of the process at the other end, as it listened or connected.
   *
   * @throws ErrnoException where the kernel refuses
   */
  public int peerUser() throws ErrnoException {
    return SocketPeer.of(this).user();
  }

  /**
   * Sends everything that remains in both parts, the first before the second, and advances them.
   *
   * @throws ErrnoException EAGAIN where the peer did not take it all in time, EPIPE where it has
   *     closed its end; part of it may have been sent
   */
  public void send(ByteBuffer first, ByteBuffer second) throws ErrnoException {
    inUse.lock();
    try {
      long start = System.nanoTime();
      while (first.hasRemaining() || second.hasRemaining()) {
        prepare(first, second, 0);
        // The kernel's timeout of a call begins anew with each part that the peer takes.
        long sent = LibC.sendmsg(number(), messageAddress, LibC.MSG_NOSIGNAL | LibC.MSG_DONTWAIT);
        int errno = LibC.lastErrno();
        keep(first, second);
        if (sent >= 0) {
          advance(first, second, sent);
        } else if (errno == Errno.EAGAIN.number()) {
          awaitRoom(start + timeoutNanos - System.nanoTime());
        } else if (errno != Errno.EINTR.number()) {
          throw new ErrnoException("sendmsg", errno);
        }
      }
    } finally {
      inUse.unlock();
    }
  }

  /** Waits until the peer has taken some of what was sent, or for that long. */
  private void awaitRoom(long nanos) throws ErrnoException {
    if (nanos <= 0) {
      throw new ErrnoException("sendmsg", Errno.EAGAIN.number());
    }
    waited.putInt(0, number()).putInt(POLL_EVENTS, 0).putShort(POLL_EVENTS, (short) LibC.POLLOUT);
    int milliseconds = (int) Math.min(Integer.MAX_VALUE, TimeUnit.NANOSECONDS.toMillis(nanos) + 1);
    int answer = LibC.poll(LibC.addressOf(waited), 1, milliseconds);
    int errno = LibC.lastErrno();
    Reference.reachabilityFence(waited);
    if (answer < 0 && errno != Errno.EINTR.number()) {
      throw new ErrnoException("poll", errno);
    }
  }

  /**
   * Receives into the first part and then the second, and advances them.
   *
   * @param everything whether to wait until both are full; else it answers with what is there, at
   *     least one byte
   * @param descriptors takes the file descriptors that came along; whoever passed the list owns
   *     them. Null where none are wanted: the kernel then closes what the peer sends
   * @return bytes received; 0 where the peer has closed its end. Fewer than asked for also where a
   *     wait for everything ended early
   * @throws ErrnoException EAGAIN where nothing came in time
   * @throws IOException where {@code descriptors} has more than {@link #MAX_DESCRIPTORS} by now: a
   *     peer that sends a byte at a time may send as many with each
   */
  public long receive(
      ByteBuffer first, ByteBuffer second, boolean everything, List<Descriptor> descriptors)
      throws IOException {
    inUse.lock();
    try {
      int flags = LibC.MSG_CMSG_CLOEXEC | (everything ? LibC.MSG_WAITALL : 0);
      long received =
          SystemCall.retried(
              "recvmsg",
              () -> {
                prepare(first, second, descriptors == null ? 0 : CONTROL_CAPACITY);
                return LibC.recvmsg(number(), messageAddress, flags);
              });
      keep(first, second);
      if (descriptors != null) {
        take(descriptors);
      }
      advance(first, second, received);
      return received;
    } finally {
      inUse.unlock();
    }
  }

  private int number() throws ErrnoException {
    if (closing.get()) {
      throw new ErrnoException("use of a closed socket", Errno.EBADF.number());
    }
    return socket.number();
  }

  private void prepare(ByteBuffer first, ByteBuffer second, int controlCapacity) {
    part(0, first);
    part(1, second);
    message.putLong(SocketLayout.MESSAGE_IOVECS, messageAddress + IOVECS);
    message.putLong(SocketLayout.MESSAGE_IOVEC_COUNT, MAX_PARTS);
    message.putLong(
        SocketLayout.MESSAGE_CONTROL, controlCapacity == 0 ? 0 : messageAddress + CONTROL);
    message.putLong(SocketLayout.MESSAGE_CONTROL_LENGTH, controlCapacity);
    message.putInt(SocketLayout.MESSAGE_FLAGS, 0);
  }

  private void part(int index, ByteBuffer buffer) {
    int at = IOVECS + index * SocketLayout.IOVEC_BYTES;
    message.putLong(
        at + SocketLayout.IOVEC_BASE,
        buffer.hasRemaining() ? LibC.addressOf(buffer) + buffer.position() : 0);
    message.putLong(at + SocketLayout.IOVEC_LENGTH, buffer.remaining());
  }

  private void keep(ByteBuffer first, ByteBuffer second) {
    Reference.reachabilityFence(first);
    Reference.reachabilityFence(second);
    Reference.reachabilityFence(message);
  }

  private static void advance(ByteBuffer first, ByteBuffer second, long count) {
    int inFirst = (int) Math.min(first.remaining(), count);
    first.position(first.position() + inFirst);
    second.position(second.position() + (int) (count - inFirst));
  }

  private void take(List<Descriptor> descriptors) throws IOException {
    List<Descriptor> taken = new ArrayList<>();
    int end = CONTROL + (int) message.getLong(SocketLayout.MESSAGE_CONTROL_LENGTH);
    int at = CONTROL;
    while (at + SocketLayout.CONTROL_BYTES <= end) {
      int length = (int) message.getLong(at + SocketLayout.CONTROL_LENGTH);
      if (message.getInt(at + SocketLayout.CONTROL_LEVEL) == LibC.SOL_SOCKET
          && message.getInt(at + SocketLayout.CONTROL_TYPE) == LibC.SCM_RIGHTS) {
        for (int fd = at + SocketLayout.CONTROL_BYTES; fd < at + length; fd += Integer.BYTES) {
          taken.add(new Descriptor(message.getInt(fd)));
        }
      }
      at += Math.max(SocketLayout.CONTROL_BYTES, (length + 7) & ~7);
    }
    descriptors.addAll(taken);
    if (descriptors.size() > MAX_DESCRIPTORS
        || (message.getInt(SocketLayout.MESSAGE_FLAGS) & LibC.MSG_CTRUNC) != 0) {
      throw new IOException("the peer sent more than " + MAX_DESCRIPTORS + " file descriptors");
    }
  }

  /** Ends a call that waits, then closes the socket. Safe to call again and from any thread. */
  @Override
  public void close() {
    if (closing.compareAndSet(false, true)) {
      LibC.shutdown(socket.number(), LibC.SHUT_RDWR);
      inUse.lock();
      try {
        socket.close();
      } finally {
        inUse.unlock();
      }
    }
  }
}
