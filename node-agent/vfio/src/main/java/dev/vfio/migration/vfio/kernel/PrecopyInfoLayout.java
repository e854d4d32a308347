package dev.vfio.migration.vfio.kernel;

/**
 * What {@code VFIO_MIG_GET_PRECOPY_INFO} fills in.
 *
 * <pre>
 * struct vfio_precopy_info {
 *         __u32 argsz; __u32 flags; __aligned_u64 initial_bytes; __aligned_u64 dirty_bytes;
 * };
 * </pre>
 */
final class PrecopyInfoLayout {
  static final int ARGSZ = 0;
  static final int FLAGS = 4;
  static final int INITIAL_BYTES = 8;
  static final int DIRTY_BYTES = 16;
  static final int SIZE = 24;

  private PrecopyInfoLayout() {}
}
