package dev.vfio.migration.vfio.linux;

import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * A shared, writable mapping of a part of a file, of any length. Copies in and out are bulk copies
 * between the mapping and the caller's buffer, nothing in between.
 *
 * <p>Safe for use by several threads: copies run side by side, and {@link #close()} waits for them,
 * because touching memory after its unmapping would end the process.
 */
public final class Mapping implements AutoCloseable {
  /** One buffer addresses at most 2 GiB; half of that keeps every sum within an int. */
  private static final long SEGMENT = 1L << 30;

  private static final long MAP_FAILED = -1;

  private final long address;
  private final long length;
  private final ByteBuffer[] segments;
  private final ReadWriteLock lock = new ReentrantReadWriteLock();
  private boolean closed;

  private Mapping(long address, long length) {
    this.address = address;
    this.length = length;
    this.segments = new ByteBuffer[Math.toIntExact((length + SEGMENT - 1) / SEGMENT)];
    Pointer start = new Pointer(address);
    for (int i = 0; i < segments.length; i++) {
      long from = i * SEGMENT;
      segments[i] = start.getByteBuffer(from, Math.min(SEGMENT, length - from));
    }
  }

  /**
   * Maps bytes of a regular file. The mapping outlives the descriptor.
   *
   * @param offset where in the file it starts, bytes; a multiple of the page size
   * @param length bytes, at least 1; the file must reach that far
   * @throws IOException where the file is too short, is no regular file, or cannot be mapped
   */
  public static Mapping of(Descriptor file, long offset, long length) throws IOException {
    if (offset < 0 || offset % Host.pageSize() != 0 || length < 1) {
      throw new IOException(
          "cannot map " + length + " bytes from " + offset + ": not a page boundary, or nothing");
    }
    long size = file.regularFileSize();
    if (length > size || offset > size - length) {
      throw new IOException(
          "cannot map " + length + " bytes from " + offset + ": the file has " + size + " bytes");
    }
    int protection = LibC.PROT_READ | LibC.PROT_WRITE;
    long address = LibC.mmap(0, length, protection, LibC.MAP_SHARED, file.number(), offset);
    if (address == MAP_FAILED) {
      throw new ErrnoException("mmap of " + length + " bytes", LibC.lastErrno());
    }
    return new Mapping(address, length);
  }

  /** Bytes. */
  public long length() {
    return length;
  }

  /**
   * Fills the rest of {@code into} with what lies from {@code offset} on.
   *
   * @throws IndexOutOfBoundsException where that reaches beyond the mapping
   * @throws IOException where the file was cut short meanwhile, or the mapping was closed
   */
  public void read(long offset, ByteBuffer into) throws IOException {
    copy(offset, into, true);
  }

  /**
   * Writes the rest of {@code from} from {@code offset} on.
   *
   * @throws IndexOutOfBoundsException where that reaches beyond the mapping
   * @throws IOException where the file was cut short meanwhile, or the mapping was closed
   */
  public void write(long offset, ByteBuffer from) throws IOException {
    copy(offset, from, false);
  }

  private void copy(long offset, ByteBuffer buffer, boolean reading) throws IOException {
    java.util.Objects.checkFromIndexSize(offset, buffer.remaining(), length);
    Lock held = lock.readLock();
    held.lock();
    try {
      if (closed) {
        throw new IOException("the mapping was closed");
      }
      long at = offset;
      while (buffer.hasRemaining()) {
        ByteBuffer segment = segments[(int) (at / SEGMENT)];
        int within = (int) (at % SEGMENT);
        int count = Math.min(buffer.remaining(), segment.capacity() - within);
        int position = buffer.position();
        if (reading) {
          buffer.put(position, segment, within, count);
        } else {
          segment.put(within, buffer, position, count);
        }
        buffer.position(position + count);
        at += count;
      }
    } catch (InternalError fault) {
      // The virtual machine's answer to SIGBUS: pages of the mapping have no file behind them.
      throw new IOException("the mapped file was cut short while it was in use", fault);
    } finally {
      held.unlock();
    }
  }

  @Override
  public void close() {
    Lock held = lock.writeLock();
    held.lock();
    try {
      if (!closed) {
        closed = true;
        LibC.munmap(address, length);
      }
    } finally {
      held.unlock();
    }
  }
}
