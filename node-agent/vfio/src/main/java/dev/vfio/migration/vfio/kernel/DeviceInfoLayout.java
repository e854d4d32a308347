package dev.vfio.migration.vfio.kernel;

import dev.vfio.migration.vfio.access.DeviceInfo;
import java.nio.ByteBuffer;

/**
 * What {@code VFIO_DEVICE_GET_INFO} fills in.
 *
 * <pre>
 * struct vfio_device_info {
 *         __u32 argsz; __u32 flags; __u32 num_regions; __u32 num_irqs; __u32 cap_offset; __u32 pad;
 * };
 * </pre>
 *
 * <p>Older kernels end before the padding, or before {@code cap_offset}; they take a longer one.
 */
final class DeviceInfoLayout {
  static final int ARGSZ = 0;
  static final int FLAGS = 4;
  static final int NUM_REGIONS = 8;
  static final int NUM_IRQS = 12;
  static final int CAP_OFFSET = 16;
  static final int SIZE = 24;

  static final int FLAG_RESET = 1;
  static final int FLAG_PCI = 1 << 1;

  private DeviceInfoLayout() {}

  static DeviceInfo parse(ByteBuffer structure) {
    int flags = structure.getInt(FLAGS);
    return new DeviceInfo(
        (flags & FLAG_RESET) != 0,
        (flags & FLAG_PCI) != 0,
        Integer.toUnsignedLong(structure.getInt(NUM_REGIONS)));
  }
}
