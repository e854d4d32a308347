package dev.vfio.migration.sandbox.devices.region;

import dev.vfio.migration.sandbox.devices.unixsocket.SharedMemory;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.OptionalInt;

/**
 * The bytes behind the migration region. Its first 76 bytes are registers and are never kept here.
 *
 * <p>Without mmap the data area begins right behind the registers, at the odd offset 76: a client
 * that believes data to be aligned does not get far. With mmap it begins at the next page.
 */
public final class RegionMemory implements AutoCloseable {
  private static final int MAP_PAGE = 4096;

  private final ByteBuffer memory;
  private final int dataOffset;
  private final SharedMemory shared;

  private RegionMemory(ByteBuffer memory, int dataOffset, SharedMemory shared) {
    this.memory = memory;
    this.dataOffset = dataOffset;
    this.shared = shared;
  }

  /** A region that can only be read and written by messages. */
  public static RegionMemory trapped(int areaSize) {
    int size = RegionLayout.END + areaSize;
    return new RegionMemory(ByteBuffer.allocateDirect(size), RegionLayout.END, null);
  }

  /** A region whose data area a client may map as well; the area is made a multiple of 4096. */
  public static RegionMemory mappable(int areaSize) throws IOException {
    int size = MAP_PAGE + (areaSize + MAP_PAGE - 1) / MAP_PAGE * MAP_PAGE;
    SharedMemory shared = SharedMemory.create("vfio-migration-region", size);
    return new RegionMemory(shared.memory(), MAP_PAGE, shared);
  }

  /** Bytes of the whole region, registers included. */
  public int size() {
    return memory.capacity();
  }

  /** Where the data area begins. */
  public int dataOffset() {
    return dataOffset;
  }

  /** Bytes of the data area. */
  public int areaSize() {
    return memory.capacity() - dataOffset;
  }

  /** The descriptor that maps to the region; its offset 0 is the region's. */
  public OptionalInt descriptor() {
    return shared == null ? OptionalInt.empty() : OptionalInt.of(shared.descriptor());
  }

  /** A view of those bytes. */
  ByteBuffer slice(int offset, int length) {
    return memory.slice(offset, length);
  }

  @Override
  public void close() {
    if (shared != null) {
      shared.close();
    }
  }
}
