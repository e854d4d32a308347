package dev.vfio.migration.vfio.linux;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;

/**
 * A small text file that the kernel makes up as it is read, and that says when it has changed (by
 * {@code POLLPRI}), as {@code cgroup.events} does. For one thread.
 */
public final class KernelFile implements AutoCloseable {
  private static final int MAX_BYTES = 4096;

  private final Path path;
  private final Descriptor file;
  private final ByteBuffer text = ByteBuffer.allocateDirect(MAX_BYTES);

  private KernelFile(Path path, Descriptor file) {
    this.path = path;
    this.file = file;
  }

  /**
   * Opens it for reading.
   *
   * @throws ErrnoException ENOENT where there is none
   */
  public static KernelFile open(Path path) throws ErrnoException {
    return new KernelFile(path, Descriptor.open(path, false));
  }

  /** What the file says now, at most 4096 bytes. A change that comes later ends the next wait. */
  public String read() throws ErrnoException {
    long got =
        SystemCall.retried(
            "read of " + path, () -> LibC.pread(file.number(), LibC.addressOf(text), MAX_BYTES, 0));
    byte[] bytes = new byte[(int) got];
    text.get(0, bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }

  /**
   * Waits until it has changed since it was read last.
   *
   * @return false where it had not within that time
   */
  public boolean awaitChange(Duration timeout) throws ErrnoException {
    PollSet one = new PollSet();
    one.add(file, PollSet.PRIORITY);
    return one.await(timeout);
  }

  @Override
  public void close() {
    file.close();
  }
}
