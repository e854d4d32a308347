package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;

/**
 * A part of a region that is reached without trapping into the device: what an incumbent would map.
 * It lives as long as the {@link DeviceAccess} it came from; afterwards its methods throw.
 */
public interface DirectArea {

  /** Offset of its first byte in the region, bytes. */
  long offset();

  /** Bytes. */
  long size();

  /**
   * Fills the rest of {@code into} (direct) from {@code offset} on: one bulk copy.
   *
   * @param offset in the region, not in the area
   * @throws IndexOutOfBoundsException where that is not all inside the area
   */
  void read(long offset, ByteBuffer into) throws AccessException;

  /**
   * Writes the rest of {@code from} (direct) from {@code offset} on: one bulk copy.
   *
   * @param offset in the region, not in the area
   * @throws IndexOutOfBoundsException where that is not all inside the area
   */
  void write(long offset, ByteBuffer from) throws AccessException;

  /** Whether {@code length} bytes from {@code offset} in the region are all inside this area. */
  default boolean covers(long offset, long length) {
    return offset >= offset() && length <= size() && offset - offset() <= size() - length;
  }
}
