package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.StateFile;
import dev.vfio.migration.vfio.linux.DriverFile;
import dev.vfio.migration.vfio.linux.DriverFile.Ready;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/**
 * The {@code data_fd} of a device, opened without blocking. A driver that ignores that blocks
 * although it says that it is ready, and no timeout here can end its wait.
 */
final class KernelStateFile implements StateFile {
  /** How soon a driver is asked again that says it is ready and then answers EAGAIN. */
  private static final Duration BETWEEN_TRIES = Duration.ofMillis(1);

  private final DriverFile file;
  private final ByteBuffer precopyInfo = NativeMemory.allocate(PrecopyInfoLayout.SIZE);
  private boolean asked;

  KernelStateFile(DriverFile file) {
    this.file = file;
  }

  @Override
  public int read(ByteBuffer into, Duration timeout) throws AccessException {
    if (!into.hasRemaining()) {
      throw new IllegalArgumentException("there is no room to read state into");
    }
    return move("reading", into, timeout, Ready.TO_READ);
  }

  @Override
  public void write(ByteBuffer from, Duration timeout) throws AccessException {
    long deadline = System.nanoTime() + timeout.toNanos();
    while (from.hasRemaining()) {
      Duration left = Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
      if (move("writing", from, left, Ready.TO_WRITE) == 0) {
        throw new AccessException(
            Reason.REFUSED,
            Errno.EIO.number(),
            "the driver takes no more of the state: "
                + from.remaining()
                + " bytes are left over, and write answered 0");
      }
    }
  }

  private int move(String what, ByteBuffer buffer, Duration timeout, Ready ready)
      throws AccessException {
    long deadline = System.nanoTime() + timeout.toNanos();
    try {
      askNotToBlock();
      while (true) {
        Duration left = Duration.ofNanos(Math.max(0, deadline - System.nanoTime()));
        if (file.await(ready, left)) {
          try {
            return ready == Ready.TO_READ ? file.read(buffer) : file.write(buffer);
          } catch (ErrnoException failure) {
            if (!failure.is(Errno.EAGAIN)) {
              throw failure;
            }
          }
        }
        if (System.nanoTime() - deadline >= 0) {
          throw new ErrnoException(
              what + " state within " + timeout.toMillis() + " ms", Errno.ETIMEDOUT.number());
        }
        LockSupport.parkNanos(BETWEEN_TRIES.toNanos());
      }
    } catch (ErrnoException failure) {
      throw KernelFailures.refused(failure);
    }
  }

  private void askNotToBlock() throws ErrnoException {
    if (!asked) {
      file.withoutBlocking();
      asked = true;
    }
  }

  @Override
  public PrecopyInfo precopyInfo() throws AccessException {
    precopyInfo.clear();
    precopyInfo.putInt(PrecopyInfoLayout.ARGSZ, PrecopyInfoLayout.SIZE);
    precopyInfo.putInt(PrecopyInfoLayout.FLAGS, 0);
    VfioRequest request = VfioRequest.VFIO_MIG_GET_PRECOPY_INFO;
    try {
      file.ioctl(request.name(), request.code(), precopyInfo);
    } catch (ErrnoException failure) {
      throw KernelFailures.refused(failure);
    }
    return new PrecopyInfo(
        precopyInfo.getLong(PrecopyInfoLayout.INITIAL_BYTES),
        precopyInfo.getLong(PrecopyInfoLayout.DIRTY_BYTES));
  }

  @Override
  public void close() {
    file.close();
  }
}
