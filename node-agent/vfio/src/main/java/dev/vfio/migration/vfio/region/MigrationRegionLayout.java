package dev.vfio.migration.vfio.region;

/**
 * The structure at the start of the migration region, and the constants that go with it. Packed, in
 * the host's byte order; data and bitmaps start at {@link #SIZE} or later.
 *
 * <pre>
 * #define VFIO_REGION_TYPE_MIGRATION             (1 &lt;&lt; 30)
 * #define VFIO_REGION_SUBTYPE_MIGRATION          (1)
 *
 * struct vfio_device_migration_info {
 *         __u32 device_state;
 *         struct {
 *             __u64 precopy_only;
 *             __u64 compatible;
 *             __u64 postcopy_only;
 *             __u64 threshold_size;
 *         } pending;
 *         struct {
 *             __u64 offset;
 *             __u64 size;
 *         } data;
 *         struct {
 *             __u64 start_addr;
 *             __u64 total;
 *             __u64 copied;
 *         } dirty_pfns;
 * } __attribute__((packed));
 * </pre>
 *
 * <p>Source: "VFIO KABI for migration interface", November 2018.
 */
public final class MigrationRegionLayout {
  /** {@code VFIO_REGION_TYPE_MIGRATION}. */
  public static final int REGION_TYPE = 1 << 30;

  /** {@code VFIO_REGION_SUBTYPE_MIGRATION}. */
  public static final int REGION_SUBTYPE = 1;

  /** u32, written by the user. */
  public static final int DEVICE_STATE = 0;

  /** u64 bytes, written by the driver. */
  public static final int PENDING_PRECOPY_ONLY = 4;

  /** u64 bytes, written by the driver. */
  public static final int PENDING_COMPATIBLE = 12;

  /** u64 bytes, written by the driver. */
  public static final int PENDING_POSTCOPY_ONLY = 20;

  /** u64 bytes, written by the user before it reads the three above. */
  public static final int PENDING_THRESHOLD_SIZE = 28;

  /** u64 offset in the region, written by the driver when saving, by the user when resuming. */
  public static final int DATA_OFFSET = 36;

  /** u64 bytes, written by the driver when saving, by the user when resuming. */
  public static final int DATA_SIZE = 44;

  /** u64 byte address (IOVA), written by the user. */
  public static final int DIRTY_PFNS_START_ADDR = 52;

  /** u64 pages, written by the user. */
  public static final int DIRTY_PFNS_TOTAL = 60;

  /** u64 pages, written by the driver. */
  public static final int DIRTY_PFNS_COPIED = 68;

  /** Bytes of the whole structure. */
  public static final int SIZE = 76;

  private MigrationRegionLayout() {}

  /** A field's name in the interface, for messages. */
  static String nameOf(int offset) {
    return switch (offset) {
      case DEVICE_STATE -> "device_state";
      case PENDING_PRECOPY_ONLY -> "pending.precopy_only";
      case PENDING_COMPATIBLE -> "pending.compatible";
      case PENDING_POSTCOPY_ONLY -> "pending.postcopy_only";
      case PENDING_THRESHOLD_SIZE -> "pending.threshold_size";
      case DATA_OFFSET -> "data.offset";
      case DATA_SIZE -> "data.size";
      case DIRTY_PFNS_START_ADDR -> "dirty_pfns.start_addr";
      case DIRTY_PFNS_TOTAL -> "dirty_pfns.total";
      case DIRTY_PFNS_COPIED -> "dirty_pfns.copied";
      default -> throw new IllegalArgumentException("no field at offset " + offset);
    };
  }
}
