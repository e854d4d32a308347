package dev.vfio.migration.sandbox.devices.vfiouser;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Who the device says it is, in PCI numbers of 16 bits each. Immutable.
 *
 * @param vendor PCI vendor id
 * @param device PCI device id
 * @param subsystemVendor PCI subsystem vendor id
 * @param subsystem PCI subsystem id
 */
public record PciIdentity(int vendor, int device, int subsystemVendor, int subsystem) {
  /** Bytes of config space. */
  static final int CONFIG_SIZE = 256;

  private static final Pattern NOTATION =
      Pattern.compile("([0-9a-f]{4}):([0-9a-f]{4}):([0-9a-f]{4}):([0-9a-f]{4})");
  private static final int VENDOR_AT = 0x00;
  private static final int DEVICE_AT = 0x02;
  private static final int CLASS_AT = 0x0A;
  private static final int SUBSYSTEM_VENDOR_AT = 0x2C;
  private static final int SUBSYSTEM_AT = 0x2E;
  private static final short CLASS_3D_CONTROLLER = 0x0302;

  /** Reads {@code vendor:device:subsystem-vendor:subsystem}, four lower-case hex digits each. */
  public static PciIdentity parse(String notation) {
    Matcher matcher = NOTATION.matcher(notation);
    if (!matcher.matches()) {
      throw new IllegalArgumentException(
          "a model is four PCI numbers such as 10de:20b0:10de:1450, not '" + notation + "'");
    }
    return new PciIdentity(
        Integer.parseInt(matcher.group(1), 16),
        Integer.parseInt(matcher.group(2), 16),
        Integer.parseInt(matcher.group(3), 16),
        Integer.parseInt(matcher.group(4), 16));
  }

  /** A read-only config space (little-endian, as PCI is) that says so. */
  ByteBuffer configSpace() {
    return ByteBuffer.allocateDirect(CONFIG_SIZE)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putShort(VENDOR_AT, (short) vendor)
        .putShort(DEVICE_AT, (short) device)
        .putShort(CLASS_AT, CLASS_3D_CONTROLLER)
        .putShort(SUBSYSTEM_VENDOR_AT, (short) subsystemVendor)
        .putShort(SUBSYSTEM_AT, (short) subsystem);
  }
}
