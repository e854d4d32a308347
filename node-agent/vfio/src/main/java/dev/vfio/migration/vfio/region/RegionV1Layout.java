package dev.vfio.migration.vfio.region;

/**
 * The structure at the start of the v1 migration region, and the constants that go with it.
 * Naturally aligned, in the host's byte order; data starts behind it.
 *
 * <pre>
 * #define VFIO_REGION_TYPE_MIGRATION      (3)
 * #define VFIO_REGION_SUBTYPE_MIGRATION   (1)
 *
 * struct vfio_device_migration_info {
 *         __u32 device_state;
 *         __u32 reserved;
 *         __u64 pending_bytes;
 *         __u64 data_offset;
 *         __u64 data_size;
 * };
 * </pre>
 *
 * <p>Source: {@code linux/vfio.h} of Linux 5.8 to 5.17.
 */
public final class RegionV1Layout {
  /** {@code VFIO_REGION_TYPE_MIGRATION}. */
  public static final int REGION_TYPE = 3;

  /** {@code VFIO_REGION_SUBTYPE_MIGRATION}. */
  public static final int REGION_SUBTYPE = 1;

  /** u32, read and written by the user; see {@link #STATE_MASK}. */
  public static final int DEVICE_STATE = 0;

  /** u64 bytes, written by the driver; reading it also says that the last chunk was taken. */
  public static final int PENDING_BYTES = 8;

  /** u64 offset in the region, written by the driver at both ends. */
  public static final int DATA_OFFSET = 16;

  /** u64 bytes, written by the driver when saving, by the user when resuming. */
  public static final int DATA_SIZE = 24;

  /** Bytes of the whole structure. */
  public static final int SIZE = 32;

  /** {@code VFIO_DEVICE_STATE_RUNNING}. */
  public static final int STATE_RUNNING = 1;

  /** {@code VFIO_DEVICE_STATE_SAVING}. */
  public static final int STATE_SAVING = 1 << 1;

  /** {@code VFIO_DEVICE_STATE_RESUMING}. */
  public static final int STATE_RESUMING = 1 << 2;

  /** The bits of {@code device_state} that are defined; the others are kept as they are. */
  public static final int STATE_MASK = STATE_RUNNING | STATE_SAVING | STATE_RESUMING;

  private RegionV1Layout() {}

  /** A field's name in the interface, for messages. */
  static String nameOf(int offset) {
    return switch (offset) {
      case DEVICE_STATE -> "device_state";
      case PENDING_BYTES -> "pending_bytes";
      case DATA_OFFSET -> "data_offset";
      case DATA_SIZE -> "data_size";
      default -> throw new IllegalArgumentException("no field at offset " + offset);
    };
  }
}
