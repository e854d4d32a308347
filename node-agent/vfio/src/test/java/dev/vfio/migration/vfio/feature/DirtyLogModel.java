package dev.vfio.migration.vfio.feature;

import dev.vfio.migration.vfio.access.AccessException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/** The driver's log of the pages that its device writes, and the caller's memory it reads. */
final class DirtyLogModel {
  private final Map<Long, ByteBuffer> memory = new HashMap<>();
  private final Set<Long> dirty = new TreeSet<>();
  private List<long[]> ranges = List.of();
  private long nextAddress = 0x7000_0000_0000L;
  private boolean on;

  boolean on() {
    return on;
  }

  List<long[]> ranges() {
    return ranges;
  }

  void writes(long... pages) {
    for (long page : pages) {
      dirty.add(page);
    }
  }

  long addressOf(ByteBuffer buffer) {
    nextAddress += 1L << 20;
    memory.put(nextAddress, buffer);
    return nextAddress;
  }

  void stop() {
    on = false;
  }

  void start(ByteBuffer payload) throws AccessException {
    long pageSize = payload.getLong(0);
    int count = payload.getInt(8);
    if (count == 0 || on) {
      throw DriverModel.refused(DriverModel.EINVAL);
    }
    if (count > 256) {
      throw DriverModel.refused(7);
    }
    ByteBuffer asked = memory.get(payload.getLong(16));
    List<long[]> taken = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      long iova = asked.getLong(i * 16);
      long length = asked.getLong(i * 16 + 8);
      if (iova % pageSize != 0 || length % pageSize != 0) {
        throw DriverModel.refused(DriverModel.EINVAL);
      }
      for (long[] other : taken) {
        if (iova < other[0] + other[1] && other[0] < iova + length) {
          throw DriverModel.refused(DriverModel.EINVAL);
        }
      }
      taken.add(new long[] {iova, length});
    }
    ranges = taken;
    on = true;
    dirty.clear();
  }

  /** Writes the bits of a range and forgets its pages; returns how many pages were asked for. */
  long report(ByteBuffer payload) throws AccessException {
    if (!on) {
      throw DriverModel.refused(DriverModel.EINVAL);
    }
    long first = payload.getLong(0) / payload.getLong(16);
    long pages = payload.getLong(8) / payload.getLong(16);
    ByteBuffer bits = memory.get(payload.getLong(24)).duplicate().order(ByteOrder.LITTLE_ENDIAN);
    for (long page : List.copyOf(dirty)) {
      if (page >= first && page < first + pages) {
        int word = (int) ((page - first) / 64) * 8;
        bits.putLong(word, bits.getLong(word) | 1L << ((page - first) % 64));
        dirty.remove(page);
      }
    }
    return pages;
  }
}
