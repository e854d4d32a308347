package dev.vfio.migration.vfio.linux;

import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A regular file that other processes have mapped, read and written at any place by the kernel's
 * own copy between its pages and the caller's direct buffer. Coherent with their mappings.
 *
 * <p>The file is not mapped here, because it belongs to somebody who is not trusted. If it is cut
 * short, or its file system is full, a mapping raises SIGBUS, which the virtual machine reports at
 * some later place in the thread, after the copy has returned as if it had worked. Here both are
 * plain errors. The kernel's copy costs a small part of what encrypting the same bytes costs.
 *
 * <p>Safe for use by several threads: copies run side by side, and {@link #close()} waits for them.
 */
public final class SharedFile implements AutoCloseable {
  private final Descriptor file;
  private final long size;
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private boolean closed;

  private SharedFile(Descriptor file, long size) {
    this.file = file;
    this.size = size;
  }

  /**
   * Takes over a descriptor, which is closed at once where this fails.
   *
   * @throws IOException where it is no regular file
   */
  public static SharedFile of(Descriptor file) throws IOException {
    try {
      return new SharedFile(file, file.regularFileSize());
    } catch (Throwable failure) {
      file.close();
      throw failure;
    }
  }

  /** Bytes the file had when it was opened. */
  public long size() {
    return size;
  }

  /**
   * Makes sure that {@link #write} can work, without writing.
   *
   * @throws IOException as {@link OpenFile#requireReadableAndWritable} has it
   */
  public void requireReadableAndWritable() throws IOException {
    OpenFile.requireReadableAndWritable(file);
  }

  /**
   * Fills the rest of {@code into} (direct) with what lies from {@code offset} on.
   *
   * @throws IndexOutOfBoundsException where that reaches beyond {@link #size()}
   * @throws IOException where the file was cut short meanwhile, cannot be read, or this was closed;
   *     {@code into} then has advanced by what was read
   */
  public void read(long offset, ByteBuffer into) throws IOException {
    copy("pread", offset, into, LibC::pread);
  }

  /**
   * Writes the rest of {@code from} (direct) from {@code offset} on.
   *
   * @throws IndexOutOfBoundsException where that reaches beyond {@link #size()}
   * @throws IOException where the file cannot be written, its file system is full, or this was
   *     closed; {@code from} then has advanced by what was written
   */
  public void write(long offset, ByteBuffer from) throws IOException {
    copy("pwrite", offset, from, LibC::pwrite);
  }

  /** {@code pread} or {@code pwrite}. */
  @FunctionalInterface
  private interface Call {
    long move(int fd, long address, long count, long offset);
  }

  private void copy(String name, long offset, ByteBuffer buffer, Call call) throws IOException {
    Objects.checkFromIndexSize(offset, buffer.remaining(), size);
    long address = LibC.addressOf(buffer);
    Lock held = lock.readLock();
    held.lock();
    try {
      if (closed) {
        throw new IOException("the file was closed here");
      }
      long at = offset;
      while (buffer.hasRemaining()) {
        long moved = call.move(file.number(), address + buffer.position(), buffer.remaining(), at);
        int errno = LibC.lastErrno();
        if (moved > 0) {
          buffer.position(buffer.position() + (int) moved);
          at += moved;
        } else if (moved == 0) {
          throw new IOException("the file was cut short to less than " + (at + 1) + " bytes");
        } else if (errno != Errno.EINTR.number()) {
          throw new ErrnoException(name + " at " + at, errno);
        }
      }
    } finally {
      held.unlock();
      Reference.reachabilityFence(buffer);
    }
  }

  /** Waits for copies that are under way. Safe to call again. */
  @Override
  public void close() {
    Lock held = lock.writeLock();
    held.lock();
    try {
      closed = true;
      file.close();
    } finally {
      held.unlock();
    }
  }
}
