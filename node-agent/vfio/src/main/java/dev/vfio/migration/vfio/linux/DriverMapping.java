package dev.vfio.migration.vfio.linux;

import com.sun.jna.Pointer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A part of a driver's file, mapped shared for reading and writing, and bulk copies between it and
 * direct buffers.
 *
 * <p>A driver may take the memory behind a mapping away, as it does when a device is powered down
 * or its region shrinks; touching it then raises SIGBUS. The virtual machine lets such a copy end
 * and throws an {@link InternalError} when the thread next comes back from native code. So a native
 * call follows each copy here, and the error becomes a plain failure of that copy.
 *
 * <p>Safe for use by several threads. {@link #close()} does not wait: where a copy is under way,
 * the one that ends last unmaps.
 */
public final class DriverMapping implements AutoCloseable {
  /** The virtual machine cannot stop its threads during one copy; this keeps each short. */
  private static final int MAX_AT_ONCE = 1 << 20;

  private final long address;
  private final long size;
  private final Usage usage;

  private DriverMapping(long address, long size) {
    this.address = address;
    this.size = size;
    this.usage = new Usage(() -> LibC.munmap(address, size));
  }

  /**
   * Maps a part of a file. The mapping keeps the file open for the kernel until it is closed, too.
   *
   * @param offset in the file, a multiple of the page size
   * @param size bytes, at least 1
   * @throws ErrnoException where the driver refuses
   */
  public static DriverMapping of(DriverFile file, long offset, long size) throws ErrnoException {
    int fd = file.enter("mmap");
    try {
      long address =
          LibC.mmap(0, size, LibC.PROT_READ | LibC.PROT_WRITE, LibC.MAP_SHARED, fd, offset);
      if (address == LibC.MAP_FAILED) {
        throw new ErrnoException("mmap of " + size + " bytes at " + offset, LibC.lastErrno());
      }
      return new DriverMapping(address, size);
    } finally {
      file.leave();
    }
  }

  /** Bytes. */
  public long size() {
    return size;
  }

  /**
   * Fills the rest of {@code into} (direct) from {@code offset} in the mapping on.
   *
   * @throws IndexOutOfBoundsException where that is not all inside the mapping
   * @throws IOException where the driver took the memory away, or this was closed; what {@code
   *     into} has in it then is worth nothing
   */
  public void read(long offset, ByteBuffer into) throws IOException {
    copy(offset, into, (piece, rest) -> rest.put(piece));
  }

  /**
   * Writes the rest of {@code from} (direct) from {@code offset} in the mapping on.
   *
   * @throws IndexOutOfBoundsException where that is not all inside the mapping
   * @throws IOException where the driver took the memory away, or this was closed; how much was
   *     written then is not known
   */
  public void write(long offset, ByteBuffer from) throws IOException {
    copy(offset, from, ByteBuffer::put);
  }

  /** Between a piece of the mapping and as many bytes of the buffer, which advances. */
  @FunctionalInterface
  private interface Copy {
    void move(ByteBuffer piece, ByteBuffer buffer);
  }

  private void copy(long offset, ByteBuffer buffer, Copy copy) throws IOException {
    Objects.checkFromIndexSize(offset, buffer.remaining(), size);
    usage.enter("copy of a mapping");
    int limit = buffer.limit();
    try {
      long at = offset;
      while (buffer.position() < limit) {
        int count = Math.min(limit - buffer.position(), MAX_AT_ONCE);
        buffer.limit(buffer.position() + count);
        copy.move(new Pointer(address + at).getByteBuffer(0, count), buffer);
        // Brings a fault of the copy to light.
        LibC.getpagesize();
        at += count;
      }
    } catch (InternalError fault) {
      throw new IOException(
          "the driver took away memory that it had let be mapped (SIGBUS in the "
              + size
              + " bytes mapped)",
          fault);
    } finally {
      buffer.limit(limit);
      usage.leave();
    }
  }

  /** Safe to call again and from any thread. */
  @Override
  public void close() {
    usage.end();
  }
}
