package dev.vfio.migration.vfio.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collection;
import java.util.HashSet;
import java.util.Set;

/**
 * Waits for whatever happens first at a number of sockets. One thread waits, any thread wakes it.
 * The sockets stay their owners', who must not close one while it is waited for.
 *
 * <p>Source: {@code poll(2)}, {@code eventfd(2)}.
 */
public final class SocketWatch implements AutoCloseable {
  static final int EFD_CLOEXEC = 0x80000;
  static final int EFD_NONBLOCK = 0x800;

  private final Descriptor wakeUps;

  /**
   * What is to be looked after.
   *
   * @param listeners where a client waits to be accepted
   * @param streams with something to receive, or closed by the peer
   */
  public record Ready(Set<UnixListener> listeners, Set<UnixStream> streams) {}

  /** A class of its own: what is registered with JNA must be native methods alone. */
  private static final class Events {
    static {
      Native.register(Events.class, Platform.C_LIBRARY_NAME);
    }

    private Events() {}

    static native int eventfd(int initial, int flags);
  }

  /**
   * @throws ErrnoException where the kernel refuses
   */
  public SocketWatch() throws ErrnoException {
    int fd = Events.eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0) {
      throw new ErrnoException("eventfd", Native.getLastError());
    }
    wakeUps = new Descriptor(fd);
  }

  /**
   * Waits.
   *
   * @param timeout null for as long as it takes
   * @return with nothing in it after that time and after {@link #wake()}
   */
  public Ready await(
      Collection<UnixListener> listeners, Collection<UnixStream> streams, Duration timeout)
      throws ErrnoException {
    PollSet all = new PollSet();
    int wake = all.add(wakeUps, PollSet.IN);
    listeners.forEach(listener -> all.add(listener.descriptor(), PollSet.IN));
    streams.forEach(stream -> all.add(stream.descriptor(), PollSet.IN));
    Ready ready = new Ready(new HashSet<>(), new HashSet<>());
    if (all.await(timeout)) {
      if (all.ready(wake)) {
        takeWakeUps();
      }
      int place = wake + 1;
      for (UnixListener listener : listeners) {
        if (all.ready(place++)) {
          ready.listeners().add(listener);
        }
      }
      for (UnixStream stream : streams) {
        if (all.ready(place++)) {
          ready.streams().add(stream);
        }
      }
    }
    return ready;
  }

  private void takeWakeUps() throws ErrnoException {
    move("read", LibC::read);
  }

  /** Ends the wait that is under way, or the next one. For any thread. */
  public void wake() throws ErrnoException {
    move("write", LibC::write);
  }

  /** {@code read} or {@code write}. */
  @FunctionalInterface
  private interface Call {
    long move(int fd, long address, long count);
  }

  private void move(String name, Call call) throws ErrnoException {
    ByteBuffer counter = ByteBuffer.allocateDirect(Long.BYTES);
    counter.put(0, (byte) 1);
    while (call.move(wakeUps.number(), LibC.addressOf(counter), Long.BYTES) < 0) {
      int errno = LibC.lastErrno();
      Reference.reachabilityFence(counter);
      if (errno == Errno.EAGAIN.number()) {
        // Taken already, or so many that one more makes no difference.
        return;
      }
      if (errno != Errno.EINTR.number()) {
        throw new ErrnoException(name + " of an eventfd", errno);
      }
    }
    Reference.reachabilityFence(counter);
  }

  /** Closes the watch; must not be called while a thread waits. */
  @Override
  public void close() {
    wakeUps.close();
  }
}
