package dev.vfio.migration.vfio.kernel;

/**
 * The structure and the constants of a group and its container.
 *
 * <pre>
 * struct vfio_group_status { __u32 argsz; __u32 flags; };
 * </pre>
 */
final class GroupLayout {
  static final int STATUS_ARGSZ = 0;
  static final int STATUS_FLAGS = 4;
  static final int STATUS_SIZE = 8;

  static final int FLAG_VIABLE = 1;
  static final int FLAG_CONTAINER_SET = 1 << 1;

  static final int API_VERSION = 0;

  /** {@code VFIO_TYPE1v2_IOMMU}. */
  static final int TYPE1V2_IOMMU = 3;

  private GroupLayout() {}
}
