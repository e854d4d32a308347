package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.device.DeviceException;
import dev.vfio.migration.vfio.device.DeviceFailures;
import java.nio.ByteBuffer;

/**
 * A chunk of state that is put into the region part by part and given to the device as one. It is
 * given in pieces only where the region has no room for the whole chunk. For one thread.
 */
final class IncomingChunk {
  private final RegionData data;
  private final Registers registers;

  /** Where in the region the piece begins that is being put together, and its bytes so far. */
  private long place;

  private long placed;
  private long room;

  /** What the two formats do differently. */
  interface Registers {
    /**
     * Where the next piece belongs.
     *
     * @param size bytes that are left of the chunk
     */
    long place(long size) throws AccessException, DeviceException;

    /** Bytes of room from that place on, at least 1. */
    long room(long place) throws DeviceException;

    /** Makes the device take what lies there. */
    void give(long place, long size) throws AccessException;
  }

  IncomingChunk(RegionData data, Registers registers) {
    this.data = data;
    this.registers = registers;
  }

  /** Forgets the part of a chunk that was not given to the device. */
  void abandon() {
    placed = 0;
  }

  /**
   * Writes a part to the device; nothing remains in it. Where this fails the part's position is
   * behind what the device was given, and the rest of the chunk is abandoned.
   *
   * @param subject the device and its state, for messages
   * @param part direct
   * @param following bytes of the same chunk that come later
   */
  void write(String subject, ByteBuffer part, long following) throws DeviceException {
    RegionData.requireDirect(part);
    try {
      take(part, following);
    } catch (AccessException failure) {
      throw DeviceFailures.writingFailed(subject, failure);
    }
  }

  private void take(ByteBuffer part, long following) throws AccessException, DeviceException {
    int limit = part.limit();
    int given = part.position();
    boolean done = false;
    try {
      while (part.position() < limit) {
        if (placed == 0) {
          place = registers.place(limit - part.position() + following);
          room = registers.room(place);
        }
        int size = (int) Math.min(limit - part.position(), room - placed);
        part.limit(part.position() + size);
        data.write(place + placed, part);
        part.limit(limit);
        placed += size;
        boolean last = part.position() == limit && following == 0;
        if (placed == room || last) {
          registers.give(place, placed);
          placed = 0;
          given = part.position();
        }
      }
      done = true;
    } finally {
      part.limit(limit);
      if (!done) {
        placed = 0;
        part.position(given);
      }
    }
  }
}
