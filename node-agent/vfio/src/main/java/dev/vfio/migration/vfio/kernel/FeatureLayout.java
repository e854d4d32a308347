package dev.vfio.migration.vfio.kernel;

/**
 * What stands before the payload of {@code VFIO_DEVICE_FEATURE}.
 *
 * <pre>
 * struct vfio_device_feature { __u32 argsz; __u32 flags; __u8 data[]; };
 * </pre>
 */
final class FeatureLayout {
  static final int ARGSZ = 0;
  static final int FLAGS = 4;
  static final int DATA = 8;

  /** The bits of the flags that carry the index. */
  static final int INDEX_MASK = 0xffff;

  static final int PROBE = 1 << 18;

  private FeatureLayout() {}
}
