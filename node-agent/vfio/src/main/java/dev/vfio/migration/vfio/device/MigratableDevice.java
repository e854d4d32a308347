package dev.vfio.migration.vfio.device;

import java.nio.ByteBuffer;
import java.util.List;

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
   * Whether {@link #state()} is what the device is in. False only after opening or resetting a
   * device that does not report its state: {@link #state()} is then NONE, {@link #transition} lets
   * the device judge, and the first that succeeds makes the state known. A caller with a record of
   * the last state that was set should trust that record.
   */
  default boolean stateKnown() {
    return true;
  }

  /**
   * Names the memory that {@link #dirtyPages} will be asked about. To be called in RUNNING, before
   * SETUP; a device that needs not know ignores it. Does no I/O.
   */
  default void watchMemory(List<MemoryRange> ranges) {}

  /**
   * Moves the device to that state and returns when the device says that it is there; a device that
   * does not report its state is believed. FAILED and CANCELLED only announce the way back: where
   * that ended is looked at with RUNNING.
   *
   * @throws DeviceException TRANSITION_FAILED with the errno where the device refused; {@link
   *     #state()} then still answers the state before, and the device is to be led out through
   *     FAILED or {@link #reset()}. Where the device says that it is in an error state of its
   *     interface {@link #state()} answers FAILED, and only {@link #reset()} leads out. A driver
   *     that answers success while its device is elsewhere has refused. READ_FAILED where the
   *     driver took the change and the device, which could report its state, does not
   */
  void transition(DeviceState target) throws DeviceException;

  /**
   * Looks whether a device that was led to RESUME_COMPLETED still holds what it had taken in.
   * Changes nothing, also about what this object knows. A device that does not report its state is
   * only looked at for whether it answers at all.
   *
   * @throws DeviceException STATE_LOST where the device says that it is elsewhere, UNREACHABLE
   *     where it, or its server, does not exist any more or does not answer; READ_FAILED where it
   *     refused to report it, and may report it the next time
   */
  void requireLoaded() throws DeviceException;

  /**
   * Looks whether the device says that it is still in {@link #state()}. Changes nothing, also about
   * what this object knows. A device that never reported its state is only looked at for whether it
   * answers at all.
   *
   * @throws DeviceException TRANSITION_FAILED where the device says that it is elsewhere: it was
   *     reset, or led by somebody else; UNREACHABLE and READ_FAILED as {@link #requireLoaded} has
   *     them
   */
  void requireUnchanged() throws DeviceException;

  /**
   * Asks what is still to be migrated.
   *
   * @param thresholdBytes the reader's threshold: bytes of state it is ready to move in the stop
   *     window, at least 0
   */
  PendingBytes pending(long thresholdBytes) throws DeviceException;

  /**
   * Reads the next chunk of device state into {@code chunk} (direct), from its position on, and
   * advances it; the limit stays. Chunk boundaries are the device's own and must be kept by who
   * carries them.
   *
   * <p>Of a chunk that is larger than the room the first part is read, and {@link #unread()} is how
   * much the next calls will read of it. Until that is 0 nothing else is to be asked of the device,
   * but a {@link #transition} that gives the attempt up.
   *
   * @return bytes read; 0 where the device has nothing now: in PRECOPY a reason to wait a little,
   *     in STOPNCOPY the end only where {@link #pending} says so, too
   * @throws DeviceException PROTOCOL_VIOLATION where the device announces a chunk outside its
   *     region; READ_FAILED where reading it failed or fell short. The position is then as before,
   *     and the chunk is lost: the attempt cannot be completed
   * @throws IllegalArgumentException where the buffer has no room at all
   */
  int readState(ByteBuffer chunk) throws DeviceException;

  /** Bytes of the chunk that {@link #readState} has begun and not read yet. Does no I/O. */
  default long unread() {
    return 0;
  }

  /** Writes one whole chunk, as {@link #writeState(ByteBuffer, long)} does. */
  default void writeState(ByteBuffer chunk) throws DeviceException {
    writeState(chunk, 0);
  }

  /**
   * Writes a chunk of device state, or a part of one, from position to limit, in RESUME. The device
   * is given the chunk as one; it is split only where the region is smaller. Afterwards nothing
   * remains in {@code part} (direct).
   *
   * @param following bytes of the same chunk that the next calls will bring
   * @throws DeviceException WRITE_FAILED where the device refused or took less; the position is
   *     then behind what the device took
   */
  void writeState(ByteBuffer part, long following) throws DeviceException;

  /**
   * The room, in bytes, that {@link #readState} makes use of: the largest chunk, or of a device
   * whose chunks may be larger than memory is to be spent on, the largest part of one.
   */
  long maxChunkBytes();

  /**
   * Reports, and clears, the pages that the device wrote since the last report.
   *
   * <p>Where this throws, every page of the range that the device did not answer for was reported
   * dirty before: the report is complete even then, only not exact.
   *
   * @param iova byte address of the first page, a multiple of the page size
   * @param pages number of pages asked for, at least 1
   * @return number of dirty pages reported
   * @throws DeviceException READ_FAILED with the errno where the device does not log dirty pages,
   *     PROTOCOL_VIOLATION where its bitmap lies outside the region or marks pages outside the
   *     range, or where it answers for more pages than were asked for
   */
  long dirtyPages(long iova, long pages, DirtyPages into) throws DeviceException;

  /** Resets the device: state NONE or RUNNING as its interface has it, all migration state lost. */
  void reset() throws DeviceException;

  /** Closes the device without changing its state. Safe to call again. */
  @Override
  void close();
}
