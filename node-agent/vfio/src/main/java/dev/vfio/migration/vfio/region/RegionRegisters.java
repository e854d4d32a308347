package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The fields of the structure at its start, at their exact widths: one 4-byte access for {@code
 * device_state}, one 8-byte access for every other, never merged, always trapped. A short access is
 * an error.
 */
final class RegionRegisters {
  /** In both formats. */
  private static final int DEVICE_STATE = 0;

  private final DeviceAccess access;
  private final MigrationRegion region;
  private final ByteBuffer narrow =
      ByteBuffer.allocateDirect(Integer.BYTES).order(ByteOrder.nativeOrder());
  private final ByteBuffer wide =
      ByteBuffer.allocateDirect(Long.BYTES).order(ByteOrder.nativeOrder());

  RegionRegisters(DeviceAccess access, MigrationRegion region) {
    this.access = access;
    this.region = region;
  }

  int readDeviceState() throws AccessException {
    read(DEVICE_STATE, narrow.clear());
    return narrow.getInt(0);
  }

  void writeDeviceState(int value) throws AccessException {
    narrow.putInt(0, value);
    write(DEVICE_STATE, narrow.clear());
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
    requireWhole("read", field, width, access.readRegion(region.info().index(), field, value));
  }

  private void write(int field, ByteBuffer value) throws AccessException {
    int width = value.remaining();
    requireWhole("write", field, width, access.writeRegion(region.info().index(), field, value));
  }

  private void requireWhole(String what, int field, int width, int done) throws AccessException {
    if (done != width) {
      throw new AccessException(
          Reason.REFUSED,
          0,
          "short "
              + what
              + " of "
              + region.format().nameOf(field)
              + ": "
              + done
              + " of "
              + width
              + " bytes");
    }
  }
}
