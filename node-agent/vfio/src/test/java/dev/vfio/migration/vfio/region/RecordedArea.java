package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.DirectArea;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A part of a region that is reached without a trap; each access is written to a log.
 *
 * @param memory of the whole region
 * @param name of such accesses in the log
 */
record RecordedArea(ByteBuffer memory, List<String> log, String name, long offset, long size)
    implements DirectArea {
  @Override
  public void read(long at, ByteBuffer into) {
    log.add(name + " read " + at + "/" + into.remaining());
    into.put(memory.slice((int) at, into.remaining()));
  }

  @Override
  public void write(long at, ByteBuffer from) {
    log.add(name + " write " + at + "/" + from.remaining());
    memory.slice((int) at, from.remaining()).put(from);
  }
}
