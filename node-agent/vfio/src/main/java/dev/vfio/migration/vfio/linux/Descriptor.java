package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/** One open file descriptor and the duty to close it. Safe for use by several threads. */
public final class Descriptor implements AutoCloseable {
  private static final int CLOSED = -1;

  private final AtomicInteger number;

  Descriptor(int number) {
    this.number = new AtomicInteger(number);
  }

  /**
   * Opens an existing file.
   *
   * @throws ErrnoException where the kernel refuses
   */
  static Descriptor open(Path path, boolean writable) throws ErrnoException {
    return open(path, writable ? LibC.O_RDWR : LibC.O_RDONLY, path);
  }

  /**
   * Opens an existing file.
   *
   * @param flags beside {@code O_CLOEXEC}
   * @param shown the file's name in the message of a failure
   * @throws ErrnoException where the kernel refuses
   */
  static Descriptor open(Path path, int flags, Path shown) throws ErrnoException {
    byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
    byte[] terminated = Arrays.copyOf(name, name.length + 1);
    return new Descriptor(
        (int)
            SystemCall.retried(
                "open(" + shown + ")", () -> LibC.open(terminated, flags | LibC.O_CLOEXEC)));
  }

  /**
   * The descriptor's number.
   *
   * @throws IllegalStateException after it was closed
   */
  int number() {
    int current = number.get();
    if (current == CLOSED) {
      throw new IllegalStateException("this file descriptor was closed");
    }
    return current;
  }

  /** Whether it was not closed yet; then it was open all the time until this was asked. */
  public boolean isOpen() {
    return number.get() != CLOSED;
  }

  /**
   * Bytes of the regular file behind it. Does not touch the file position, which a descriptor that
   * came from another process shares with it.
   *
   * @throws IOException where it is no regular file
   */
  long regularFileSize() throws IOException {
    FileStatus status = FileStatus.of(this);
    if (!status.regularFile()) {
      throw new IOException(OpenFile.name(this) + " is " + status.kind() + ", not a regular file");
    }
    return status.size();
  }

  /**
   * Another descriptor of the same open file, with a duty of its own.
   *
   * @throws ErrnoException EBADF where this was closed, EMFILE where there are too many
   */
  public synchronized Descriptor duplicate() throws ErrnoException {
    int current = number.get();
    int fd = current == CLOSED ? CLOSED : LibC.fcntl(current, LibC.F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
      throw new ErrnoException(
          "a duplicate of a descriptor",
          current == CLOSED ? Errno.EBADF.number() : LibC.lastErrno());
    }
    return new Descriptor(fd);
  }

  /** Linux frees the number whatever close answers, so that there is nothing to try again. */
  @Override
  public synchronized void close() {
    int current = number.getAndSet(CLOSED);
    if (current != CLOSED) {
      LibC.close(current);
    }
  }
}
