package dev.vfio.migration.sandbox.devices.vfiouser;

import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.fault.FaultKind;
import dev.vfio.migration.sandbox.devices.refusal.Errno;
import dev.vfio.migration.sandbox.devices.refusal.RefusalException;
import dev.vfio.migration.sandbox.devices.region.MigrationRegion;
import dev.vfio.migration.sandbox.devices.region.RegionMemory;
import java.nio.ByteBuffer;

/**
 * The regions of the device. 0 to 8 are the PCI ones, of which only config space has a size; 9 is a
 * vendor's own, without meaning here, so that the migration region (10) must be found by its type.
 */
final class DeviceRegions {
  static final int CONFIG = 7;
  static final int VENDOR = 9;
  static final int MIGRATION = 10;

  /** {@code struct vfio_region_info}: u32 argsz, flags, index, cap_offset, u64 size, offset. */
  static final int INFO_SIZE = 32;

  private static final int VENDOR_SIZE = 4096;
  private static final int FLAG_READ = 1;
  private static final int FLAG_WRITE = 2;
  private static final int FLAG_MMAP = 4;
  private static final int FLAG_CAPS = 8;
  private static final short CAPABILITY_SPARSE_MMAP = 1;
  private static final short CAPABILITY_TYPE = 2;
  private static final short CAPABILITY_VERSION = 1;
  private static final int SPARSE_SIZE = 32;
  private static final int TYPE_MIGRATION = 1 << 30;
  private static final int SUBTYPE_MIGRATION = 1;
  private static final int TYPE_PCI_VENDOR = 1 << 31;
  private static final int SUBTYPE_VENDOR = 7;

  private final MigrationRegion migration;
  private final PciIdentity identity;
  private final ActiveFaults faults;
  private final ByteBuffer config;
  private final ByteBuffer vendor = ByteBuffer.allocateDirect(VENDOR_SIZE);

  DeviceRegions(MigrationRegion migration, PciIdentity identity, ActiveFaults faults) {
    this.migration = migration;
    this.identity = identity;
    this.faults = faults;
    this.config = identity.configSpace();
  }

  int count() {
    return offersMigration() ? MIGRATION + 1 : VENDOR + 1;
  }

  boolean offersReset() {
    return faults.fire(FaultKind.NO_RESET, migration.deviceState()).isEmpty();
  }

  MigrationRegion migration() {
    return migration;
  }

  /** Whether accesses to that region are the migration region's. */
  boolean isMigration(int region) {
    return region == MIGRATION && offersMigration();
  }

  /**
   * Whether the whole information about that region comes with a file descriptor.
   *
   * @param clientTakesDescriptors whether the client has said so
   */
  boolean comesWithDescriptor(int region, boolean clientTakesDescriptors) {
    return clientTakesDescriptors
        && isMigration(region)
        && migration.memory().descriptor().isPresent();
  }

  /**
   * Writes the region's information with all its capabilities, as large as it needs to be.
   *
   * @param mappable whether it comes with a descriptor
   */
  void describe(int region, boolean mappable, ByteBuffer out) throws RefusalException {
    switch (region) {
      case CONFIG -> information(out, FLAG_READ, region, 0, PciIdentity.CONFIG_SIZE);
      case VENDOR -> {
        information(out, FLAG_READ | FLAG_CAPS, region, INFO_SIZE, VENDOR_SIZE);
        type(out, TYPE_PCI_VENDOR | identity.vendor(), SUBTYPE_VENDOR);
      }
      default -> {
        if (isMigration(region)) {
          describeMigration(mappable, out);
        } else if (region >= 0 && region < VENDOR) {
          information(out, 0, region, 0, 0);
        } else {
          throw new RefusalException(Errno.EINVAL, "there is no region " + region);
        }
      }
    }
    out.putInt(0, out.position());
  }

  /** Reads from a region other than the migration one. */
  ByteBuffer read(int region, long offset, int count) throws RefusalException {
    ByteBuffer bytes =
        switch (region) {
          case CONFIG -> config;
          case VENDOR -> vendor;
          default -> throw new RefusalException(Errno.EINVAL, "region " + region + " has no bytes");
        };
    if (offset < 0 || count < 1 || offset > bytes.capacity() - (long) count) {
      throw new RefusalException(Errno.EINVAL, "the access is outside region " + region);
    }
    return bytes.slice((int) offset, count);
  }

  private boolean offersMigration() {
    return faults.fire(FaultKind.NO_MIGRATION_REGION, migration.deviceState()).isEmpty();
  }

  private void describeMigration(boolean mappable, ByteBuffer out) {
    RegionMemory memory = migration.memory();
    int flags = FLAG_READ | FLAG_WRITE | FLAG_CAPS | (mappable ? FLAG_MMAP : 0);
    information(out, flags, MIGRATION, INFO_SIZE, memory.size());
    if (mappable) {
      // struct vfio_region_info_cap_sparse_mmap: header, u32 nr_areas, u32 reserved, areas
      capability(out, CAPABILITY_SPARSE_MMAP, INFO_SIZE + SPARSE_SIZE);
      out.putInt(1).putInt(0).putLong(memory.dataOffset()).putLong(memory.areaSize());
    }
    type(out, TYPE_MIGRATION, SUBTYPE_MIGRATION);
  }

  private static void information(
      ByteBuffer out, int flags, int region, int capabilityOffset, long size) {
    out.putInt(0).putInt(flags).putInt(region).putInt(capabilityOffset).putLong(size).putLong(0);
  }

  /** struct vfio_region_info_cap_type: header, u32 type, u32 subtype; always the last here. */
  private static void type(ByteBuffer out, int type, int subtype) {
    capability(out, CAPABILITY_TYPE, 0);
    out.putInt(type).putInt(subtype);
  }

  /** struct vfio_info_cap_header: u16 id, u16 version, u32 next (from the information's start). */
  private static void capability(ByteBuffer out, short id, int next) {
    out.putShort(id).putShort(CAPABILITY_VERSION).putInt(next);
  }
}
