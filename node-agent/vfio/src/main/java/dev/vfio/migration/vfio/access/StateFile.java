package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;
import java.time.Duration;

/**
 * The {@code data_fd} of the v2 interface: the device's state as a stream of bytes. Used by one
 * thread at a time, except {@link #close()}.
 */
public interface StateFile extends AutoCloseable {

  /**
   * {@code VFIO_MIG_GET_PRECOPY_INFO}.
   *
   * @param initialBytes to be moved before the device should leave PRE_COPY
   * @param dirtyBytes beyond those, at present
   */
  record PrecopyInfo(long initialBytes, long dirtyBytes) {}

  /**
   * Reads once into the rest of {@code into} (direct), after waiting for the file to be readable,
   * and advances it by what was read. EINTR is mended here.
   *
   * @return bytes read; 0 at the end of the stream
   * @throws AccessException REFUSED with the errno: ENOMSG where there is nothing now and may be
   *     later, ETIMEDOUT where nothing could be read in time, ENODEV where the stream is stale
   */
  int read(ByteBuffer into, Duration timeout) throws AccessException;

  /**
   * Writes all of the rest of {@code from} (direct). EINTR and short writes are mended here; {@code
   * from} advances by what was taken even where this throws.
   *
   * @throws AccessException REFUSED with the errno
   */
  void write(ByteBuffer from, Duration timeout) throws AccessException;

  /**
   * @throws AccessException REFUSED with the errno: ENOTTY where the driver has no PRE_COPY, EINVAL
   *     outside PRE_COPY
   */
  PrecopyInfo precopyInfo() throws AccessException;

  /** Safe to call again and from any thread. */
  @Override
  void close();
}
