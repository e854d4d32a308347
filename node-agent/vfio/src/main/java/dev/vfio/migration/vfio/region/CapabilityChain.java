package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.RegionInfo;
import dev.vfio.migration.vfio.access.RegionInfoLayout;
import dev.vfio.migration.vfio.access.RegionPart;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * The capabilities of one region, checked: every offset lies behind the region info and inside the
 * received bytes, and no capability is visited twice.
 */
final class CapabilityChain {
  /** The chain breaks the rules of the interface. */
  static final class MalformedException extends Exception {
    private static final long serialVersionUID = 1L;

    MalformedException(String message) {
      super(message);
    }
  }

  /**
   * One capability.
   *
   * @param id {@code VFIO_REGION_INFO_CAP_*}, unsigned 16 bits
   * @param version unsigned 16 bits
   * @param offset of its header from the start of the region info
   */
  record Capability(int id, int version, int offset) {}

  /** {@code vfio_region_info_cap_type}. */
  record Type(int type, int subtype) {}

  private final RegionInfo info;
  private final ByteBuffer structure;
  private final List<Capability> capabilities;

  private CapabilityChain(RegionInfo info, List<Capability> capabilities) {
    this.info = info;
    this.structure = info.structure();
    this.capabilities = List.copyOf(capabilities);
  }

  static CapabilityChain of(RegionInfo info) throws MalformedException {
    ByteBuffer structure = info.structure();
    List<Capability> found = new ArrayList<>();
    Set<Integer> visited = new HashSet<>();
    long next = info.firstCapability();
    while (next != 0) {
      if (next < RegionInfoLayout.SIZE) {
        throw new MalformedException("capability offset " + next + " lies in the region info");
      }
      if (next > structure.limit() - RegionInfoLayout.CAP_HEADER_SIZE) {
        throw new MalformedException(
            String.format(
                "capability offset %s leaves no room for a header in the %s bytes received",
                next, structure.limit()));
      }
      int offset = (int) next;
      if (!visited.add(offset)) {
        throw new MalformedException("the chain comes back to offset " + offset);
      }
      found.add(
          new Capability(
              Short.toUnsignedInt(structure.getShort(offset + RegionInfoLayout.CAP_ID)),
              Short.toUnsignedInt(structure.getShort(offset + RegionInfoLayout.CAP_VERSION)),
              offset));
      next = Integer.toUnsignedLong(structure.getInt(offset + RegionInfoLayout.CAP_NEXT));
    }
    return new CapabilityChain(info, found);
  }

  List<Capability> capabilities() {
    return capabilities;
  }

  /** The region's type; empty where it has none. */
  Optional<Type> type() throws MalformedException {
    Optional<Capability> found = find(RegionInfoLayout.CAP_TYPE);
    if (found.isEmpty()) {
      return Optional.empty();
    }
    int at = found.get().offset();
    if (structure.limit() - at < RegionInfoLayout.TYPE_SIZE) {
      throw new MalformedException("the type capability at offset " + at + " is cut short");
    }
    return Optional.of(
        new Type(
            structure.getInt(at + RegionInfoLayout.TYPE_TYPE),
            structure.getInt(at + RegionInfoLayout.TYPE_SUBTYPE)));
  }

  /**
   * The parts of the region that may be mapped: those of the sparse capability; the whole region
   * without that capability; none where the region is not mappable.
   */
  List<RegionPart> mappableParts() throws MalformedException {
    if (!info.mappable()) {
      return List.of();
    }
    Optional<Capability> found = find(RegionInfoLayout.CAP_SPARSE_MMAP);
    if (found.isEmpty()) {
      return info.size() > 0 ? List.of(new RegionPart(0, info.size())) : List.of();
    }
    int at = found.get().offset();
    int room = structure.limit() - at - RegionInfoLayout.SPARSE_AREAS;
    if (room < 0) {
      throw new MalformedException("the sparse mmap capability at offset " + at + " is cut short");
    }
    long count = Integer.toUnsignedLong(structure.getInt(at + RegionInfoLayout.SPARSE_AREA_COUNT));
    if (count > room / RegionInfoLayout.AREA_SIZE) {
      throw new MalformedException(
          "the sparse mmap capability names " + count + " areas and is cut short");
    }
    List<RegionPart> parts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int area = at + RegionInfoLayout.SPARSE_AREAS + i * RegionInfoLayout.AREA_SIZE;
      parts.add(
          inside(
              structure.getLong(area + RegionInfoLayout.AREA_OFFSET),
              structure.getLong(area + RegionInfoLayout.AREA_SIZE_FIELD)));
    }
    return parts;
  }

  private RegionPart inside(long offset, long size) throws MalformedException {
    if (offset < 0 || size < 1 || offset > info.size() || size > info.size() - offset) {
      throw new MalformedException(
          String.format(
              "a mappable area of %s bytes at %s is not inside the region",
              Long.toUnsignedString(size), Long.toUnsignedString(offset)));
    }
    return new RegionPart(offset, size);
  }

  private Optional<Capability> find(int id) {
    return capabilities.stream().filter(capability -> capability.id() == id).findFirst();
  }
}
