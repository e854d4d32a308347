package dev.vfio.migration.vfio.linux;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;

/**
 * An open file that a driver of the kernel answers for: a device, a VFIO group or container, an
 * iommufd, the stream of a device's state. Buffers are direct; the kernel copies straight between
 * them and the driver. EINTR never reaches the caller: a call that a signal broke off is made
 * again.
 *
 * <p>Safe for use by several threads. {@link #close()} never waits for a driver: where a call is
 * under way, no further one begins, and the one that ends last closes the file.
 */
public final class DriverFile implements AutoCloseable {
  /** How soon a wait notices that the file was closed here. */
  private static final long MAX_POLL_MILLIS = 100;

  static final int POLL_FD = 0;
  static final int POLL_EVENTS = 4;
  static final int POLL_BYTES = 8;

  private final Descriptor descriptor;
  private final Usage usage;

  /** What a wait is for. */
  public enum Ready {
    TO_READ(LibC.POLLIN),
    TO_WRITE(LibC.POLLOUT);

    private final int events;

    Ready(int events) {
      this.events = events;
    }
  }

  /** Takes over a descriptor. */
  public DriverFile(Descriptor descriptor) {
    this.descriptor = descriptor;
    this.usage = new Usage(descriptor::close);
  }

  /**
   * Opens for reading and writing.
   *
   * @throws ErrnoException where the kernel refuses
   */
  public static DriverFile open(Path path) throws ErrnoException {
    return new DriverFile(Descriptor.open(path, true));
  }

  /**
   * Takes over a descriptor that the kernel has put into this process, such as the answer of an
   * ioctl.
   *
   * @param number at least 0
   */
  public static DriverFile installed(int number) {
    return new DriverFile(new Descriptor(number));
  }

  /** The descriptor, which stays this file's. */
  public Descriptor descriptor() {
    return descriptor;
  }

  /**
   * {@code ioctl} with the address of a structure.
   *
   * @param name for the message of a failure
   * @param structure direct; from its position on; what the driver writes back is in it afterwards
   * @return what the call answered, at least 0
   * @throws ErrnoException where the driver refuses; EBADF after {@link #close()}
   */
  public int ioctl(String name, int request, ByteBuffer structure) throws ErrnoException {
    try {
      return ioctl(name, request, LibC.addressOf(structure) + structure.position());
    } finally {
      Reference.reachabilityFence(structure);
    }
  }

  /** {@code ioctl} with a plain value; as {@link #ioctl(String, int, ByteBuffer)} otherwise. */
  public int ioctl(String name, int request, long argument) throws ErrnoException {
    int fd = enter(name);
    try {
      return (int) SystemCall.retried(name, () -> LibC.ioctl(fd, request, argument));
    } finally {
      leave();
    }
  }

  /**
   * {@code ioctl} with a structure that names another file by its number; as {@link #ioctl(String,
   * int, ByteBuffer)} otherwise.
   *
   * @param at where in the structure the number belongs, counted from index 0
   */
  public int ioctl(String name, int request, ByteBuffer structure, int at, DriverFile other)
      throws ErrnoException {
    structure.putInt(at, other.enter(name));
    try {
      return ioctl(name, request, structure);
    } finally {
      other.leave();
    }
  }

  /** One {@code read}, {@code write}, {@code pread} or {@code pwrite}. */
  @FunctionalInterface
  private interface Move {
    long move(int fd, long address, long count);
  }

  /**
   * One {@code pread} into the rest of {@code into}, which advances.
   *
   * @return bytes read, 0 at the end
   * @throws ErrnoException where the driver refuses; EBADF after {@link #close()}
   */
  public int readAt(long offset, ByteBuffer into) throws ErrnoException {
    return move("pread", into, (fd, address, count) -> LibC.pread(fd, address, count, offset));
  }

  /** One {@code pwrite} of the rest of {@code from}; as {@link #readAt} otherwise. */
  public int writeAt(long offset, ByteBuffer from) throws ErrnoException {
    return move("pwrite", from, (fd, address, count) -> LibC.pwrite(fd, address, count, offset));
  }

  /** One {@code read}; as {@link #readAt} otherwise. */
  public int read(ByteBuffer into) throws ErrnoException {
    return move("read", into, LibC::read);
  }

  /** One {@code write}; as {@link #readAt} otherwise. */
  public int write(ByteBuffer from) throws ErrnoException {
    return move("write", from, LibC::write);
  }

  private int move(String name, ByteBuffer buffer, Move move) throws ErrnoException {
    int fd = enter(name);
    try {
      long address = LibC.addressOf(buffer) + buffer.position();
      int moved = (int) SystemCall.retried(name, () -> move.move(fd, address, buffer.remaining()));
      buffer.position(buffer.position() + moved);
      return moved;
    } finally {
      Reference.reachabilityFence(buffer);
      leave();
    }
  }

  /**
   * Waits until the file is ready, or has an error or a hang-up, which the next call reports.
   *
   * @return false where it was not in that time
   * @throws ErrnoException EBADF where the file was closed here, also during the wait
   */
  public boolean await(Ready ready, Duration timeout) throws ErrnoException {
    long deadline = System.nanoTime() + timeout.toNanos();
    ByteBuffer waited = NativeMemory.allocate(POLL_BYTES);
    while (true) {
      long left = Math.max(0, (deadline - System.nanoTime() + 999_999) / 1_000_000);
      int fd = enter("poll");
      try {
        waited.putInt(POLL_FD, fd).putInt(POLL_EVENTS, ready.events);
        int answer = LibC.poll(LibC.addressOf(waited), 1, (int) Math.min(left, MAX_POLL_MILLIS));
        if (answer > 0) {
          return true;
        }
        if (answer < 0) {
          throwUnlessInterrupted("poll");
        } else if (left == 0) {
          return false;
        }
      } finally {
        Reference.reachabilityFence(waited);
        leave();
      }
    }
  }

  /**
   * Lets reads and writes answer EAGAIN instead of waiting in the driver, where the driver knows
   * how.
   *
   * @throws ErrnoException where the kernel refuses
   */
  public void withoutBlocking() throws ErrnoException {
    int fd = enter("fcntl");
    try {
      int flags = LibC.fcntl(fd, LibC.F_GETFL, 0);
      if (flags < 0 || LibC.fcntl(fd, LibC.F_SETFL, flags | LibC.O_NONBLOCK) < 0) {
        throw new ErrnoException("fcntl(O_NONBLOCK)", LibC.lastErrno());
      }
    } finally {
      leave();
    }
  }

  private static void throwUnlessInterrupted(String name) throws ErrnoException {
    int errno = LibC.lastErrno();
    if (errno != Errno.EINTR.number()) {
      throw new ErrnoException(name, errno);
    }
  }

  /** Begins a use of the descriptor's number, which stays this file's until {@link #leave()}. */
  int enter(String call) throws ErrnoException {
    usage.enter(call);
    return descriptor.number();
  }

  void leave() {
    usage.leave();
  }

  /** Safe to call again and from any thread. */
  @Override
  public void close() {
    usage.end();
  }
}
