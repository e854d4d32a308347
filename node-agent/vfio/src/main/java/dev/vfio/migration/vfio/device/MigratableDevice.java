package dev.vfio.migration.vfio.device;

import java.nio.ByteBuffer;

/**
 * A device that can migrate, whatever interface it speaks. The phases are those of the 2018
 * interface.
 *
 * <p>Not safe for use by several threads: one thread owns the device. No method retries a change of
 * state by itself.
 */
public interface MigratableDevice extends AutoCloseable {

  /** What was found when the device was opened. Does no I/O. */
  DeviceDescription description();

  /**
   * The state this object last set, or what the device reported when it was opened. Does no I/O.
   */
  DeviceState state();

  /**
   * Moves the device to that state and returns when it is there.
   *
   * @throws DeviceException TRANSITION_FAILED with the errno where the device refused; {@link
   *     #state()} then still answers the state before, and the device is to be led out through
   *     FAILED or {@link #reset()}
   */
  void transition(DeviceState target) throws DeviceException;

  /**
   * Asks what is still to be migrated.
   *
   * @param thresholdBytes the reader's threshold: bytes of state it is ready to move in the stop
   *     window, at least 0
   */
  PendingBytes pending(long thresholdBytes) throws DeviceException;

  /**
   * Reads the next chunk of device state into {@code chunk} (direct), from its position on, and
   * advances it. Chunk boundaries are the device's own and must be kept by who carries them.
   *
   * @return bytes read; 0 where the device has nothing now
   * @throws DeviceException PROTOCOL_VIOLATION where the device announces a chunk outside its
   *     region or larger than {@link #maxChunkBytes()}
   */
  int readState(ByteBuffer chunk) throws DeviceException;

  /**
   * Writes one chunk of device state, from position to limit, in RESUME. Splits it only where the
   * region is smaller than the chunk.
   */
  void writeState(ByteBuffer chunk) throws DeviceException;

  /** The largest chunk {@link #readState} can return, in bytes: the data area of the region. */
  long maxChunkBytes();

  /**
   * Reports, and clears, the pages that the device wrote since the last report.
   *
   * @param iova byte address of the first page, a multiple of the page size
   * @param pages number of pages asked for, at least 1
   * @return number of dirty pages reported
   */
  long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException;

  /** Resets the device: state NONE or RUNNING as its interface has it, all migration state gone. */
  void reset() throws DeviceException;

  /** Lets go of the device without changing its state. Safe to call again. */
  @Override
  void close();
}
