package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The fields of the structure at their exact widths: one 4-byte access for {@code device_state},
 * one 8-byte access for every other, never merged, always trapped. A short access is an error.
 */
final class RegionRegisters {
  private final DeviceAccess access;
  private final int region;
  private final ByteBuffer narrow =
      ByteBuffer.allocateDirect(Integer.BYTES).order(ByteOrder.nativeOrder());
  private final ByteBuffer wide =
      ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder());

  RegionRegisters(DeviceAccess access, int region) {
    this.access = access;
    this.region = region;
  }

  int readDeviceState() throws AccessException {
    read(MigrationRegionLayout.DEVICE_STATE, narrow.clear());
    return narrow.getInt(0);
  }

  void writeDeviceState(int value) throws AccessException {
    narrow.putInt(0, value);
    write(MigrationRegionLayout.DEVICE_STATE, narrow.clear());
  }

  long read(int field) throws AccessException {
    read(field, wide.clear());
    return wide.getLong(0);
  }

  void write(int field, long value) throws AccessException {
    wide.putLong(0, value);
    write(field, wide.clear());
  }

  private void read(int field, ByteBuffer value) throws AccessException {
    int width = value.remaining();
    requireWhole("read", field, width, access.readRegion(region, field, value));
  }

  private void write(int field, ByteBuffer value) throws AccessException {
    int width = value.remaining();
    requireWhole("write", field, width, access.writeRegion(region, field, value));
  }

  private static void requireWhole(String what, int field, int width, int done)
      throws AccessException {
    if (done != width) {
      throw new AccessException(
          Reason.REFUSED,
          0,
          "short "
              + what
              + " of "
              + MigrationRegionLayout.nameOf(field)
              + ": "
              + done
              + " of "
              + width
              + " bytes");
    }
  }
}
