package dev.vfio.migration.vfio.feature;

/**
 * The features of the v2 interface, and their payloads in the host's byte order.
 *
 * <pre>
 * struct vfio_device_feature_migration { __aligned_u64 flags; };
 * struct vfio_device_feature_mig_state { __u32 device_state; __s32 data_fd; };
 * struct vfio_device_feature_dma_logging_control {
 *         __aligned_u64 page_size; __u32 num_ranges; __u32 __reserved; __aligned_u64 ranges;
 * };
 * struct vfio_device_feature_dma_logging_range { __aligned_u64 iova; __aligned_u64 length; };
 * struct vfio_device_feature_dma_logging_report {
 *         __aligned_u64 iova; __aligned_u64 length; __aligned_u64 page_size; __aligned_u64 bitmap;
 * };
 * struct vfio_device_feature_mig_data_size { __aligned_u64 stop_copy_length; };
 * </pre>
 *
 * <p>Source: {@code linux/vfio.h}.
 */
final class PayloadLayout {
  /** {@code VFIO_DEVICE_FEATURE_MIGRATION}. */
  static final int MIGRATION = 1;

  static final int MIGRATION_SIZE = 8;

  /** {@code VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE}. */
  static final int MIG_DEVICE_STATE = 2;

  static final int STATE_DEVICE_STATE = 0;
  static final int STATE_DATA_FD = 4;
  static final int STATE_SIZE = 8;

  /** {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_START}. */
  static final int DMA_LOGGING_START = 6;

  static final int CONTROL_PAGE_SIZE = 0;
  static final int CONTROL_NUM_RANGES = 8;
  static final int CONTROL_RANGES = 16;
  static final int CONTROL_SIZE = 24;

  static final int RANGE_IOVA = 0;
  static final int RANGE_LENGTH = 8;
  static final int RANGE_SIZE = 16;

  /** Ranges that every kernel accepts: as many as fit into one page of 4 KiB. */
  static final int MAX_RANGES = 256;

  /** {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP}. */
  static final int DMA_LOGGING_STOP = 7;

  /** {@code VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT}. */
  static final int DMA_LOGGING_REPORT = 8;

  static final int REPORT_IOVA = 0;
  static final int REPORT_LENGTH = 8;
  static final int REPORT_PAGE_SIZE = 16;
  static final int REPORT_BITMAP = 24;
  static final int REPORT_SIZE = 32;

  /** {@code VFIO_DEVICE_FEATURE_MIG_DATA_SIZE}. */
  static final int MIG_DATA_SIZE = 9;

  static final int DATA_SIZE_STOP_COPY_LENGTH = 0;
  static final int DATA_SIZE_SIZE = 8;

  private PayloadLayout() {}
}
