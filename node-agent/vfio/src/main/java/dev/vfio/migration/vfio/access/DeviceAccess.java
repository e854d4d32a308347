package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * One opened VFIO device. An access of at most 8 bytes reaches the device as exactly one access of
 * that width; a larger one moves bulk data and may be split.
 *
 * <p>Used by one thread at a time, except {@link #close()}.
 */
public interface DeviceAccess extends AutoCloseable {

  DeviceInfo deviceInfo() throws AccessException;

  /**
   * Asks for one region with all its capabilities.
   *
   * @param index 0 to {@link DeviceInfo#regions()} - 1
   */
  RegionInfo regionInfo(int index) throws AccessException;

  /**
   * Reads into the rest of {@code into} (direct) and advances it by what was read.
   *
   * @param offset in the region, bytes
   * @return bytes read; fewer than asked for is a short read, which this method does not mend
   */
  int readRegion(int index, long offset, ByteBuffer into) throws AccessException;

  /**
   * As {@link #readRegion}, for a register that is at hand at any time: whoever serves the device
   * is waited for as long as for any question, and not as long as for work.
   */
  default int askRegion(int index, long offset, ByteBuffer into) throws AccessException {
    return readRegion(index, offset, into);
  }

  /**
   * Writes the rest of {@code from} (direct) and advances it by what was written.
   *
   * @param offset in the region, bytes
   * @return bytes written; fewer than given is a short write, which this method does not mend
   */
  int writeRegion(int index, long offset, ByteBuffer from) throws AccessException;

  /**
   * Opens the direct way to the parts of a region that have one.
   *
   * @param info of that region
   * @param parts the parts that the device says may be mapped, inside the region
   * @return those that can be reached directly; empty where none can be, and {@link #readRegion}
   *     serves everything
   */
  List<DirectArea> directAreas(RegionInfo info, List<RegionPart> parts) throws AccessException;

  /**
   * Resets the device.
   *
   * @throws AccessException REFUSED with EOPNOTSUPP where it has no reset
   */
  void reset() throws AccessException;

  /** Closes the device and unmaps its direct areas. Safe to call again and from any thread. */
  @Override
  void close();
}
