package dev.vfio.migration.vfio.access;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * {@code vfio_region_info} and the structures of its capability chain, in the host's byte order.
 *
 * <pre>
 * struct vfio_region_info {
 *         __u32 argsz; __u32 flags; __u32 index; __u32 cap_offset; __u64 size; __u64 offset;
 * };
 * struct vfio_info_cap_header { __u16 id; __u16 version; __u32 next; };
 * struct vfio_region_info_cap_type {
 *         struct vfio_info_cap_header header; __u32 type; __u32 subtype;
 * };
 * struct vfio_region_sparse_mmap_area { __u64 offset; __u64 size; };
 * struct vfio_region_info_cap_sparse_mmap {
 *         struct vfio_info_cap_header header; __u32 nr_areas; __u32 reserved;
 *         struct vfio_region_sparse_mmap_area areas[];
 * };
 * </pre>
 *
 * <p>Source: {@code linux/vfio.h}.
 */
public final class RegionInfoLayout {
  public static final int ARGSZ = 0;
  public static final int FLAGS = 4;
  public static final int INDEX = 8;
  public static final int CAP_OFFSET = 12;
  public static final int REGION_SIZE = 16;
  public static final int REGION_OFFSET = 24;

  /** Bytes without capabilities. */
  public static final int SIZE = 32;

  public static final int FLAG_READ = 1;
  public static final int FLAG_WRITE = 1 << 1;
  public static final int FLAG_MMAP = 1 << 2;
  public static final int FLAG_CAPS = 1 << 3;

  public static final int CAP_ID = 0;
  public static final int CAP_VERSION = 2;
  public static final int CAP_NEXT = 4;
  public static final int CAP_HEADER_SIZE = 8;

  /** {@code VFIO_REGION_INFO_CAP_SPARSE_MMAP}. */
  public static final int CAP_SPARSE_MMAP = 1;

  /** {@code VFIO_REGION_INFO_CAP_TYPE}. */
  public static final int CAP_TYPE = 2;

  public static final int TYPE_TYPE = 8;
  public static final int TYPE_SUBTYPE = 12;
  public static final int TYPE_SIZE = 16;

  public static final int SPARSE_AREA_COUNT = 8;
  public static final int SPARSE_AREAS = 16;
  public static final int AREA_OFFSET = 0;
  public static final int AREA_SIZE_FIELD = 8;
  public static final int AREA_SIZE = 16;

  /** {@code VFIO_PCI_CONFIG_REGION_INDEX}. */
  public static final int PCI_CONFIG_REGION = 7;

  /** {@code VFIO_PCI_NUM_REGIONS}: device-specific regions start here. */
  public static final int PCI_REGIONS = 9;

  private RegionInfoLayout() {}

  /**
   * Reads the structure, from index 0 to the buffer's limit. Copies it, so that the buffer may be
   * used again.
   *
   * @param structure at least {@link #SIZE} bytes
   */
  public static RegionInfo parse(ByteBuffer structure) {
    ByteBuffer copy =
        ByteBuffer.allocate(structure.limit())
            .put(structure.duplicate().rewind())
            .flip()
            .asReadOnlyBuffer()
            .order(ByteOrder.nativeOrder());
    int flags = copy.getInt(FLAGS);
    boolean hasCapabilities = (flags & FLAG_CAPS) != 0;
    return new RegionInfo(
        copy.getInt(INDEX),
        (flags & FLAG_READ) != 0,
        (flags & FLAG_WRITE) != 0,
        (flags & FLAG_MMAP) != 0,
        copy.getLong(REGION_SIZE),
        copy.getLong(REGION_OFFSET),
        hasCapabilities ? Integer.toUnsignedLong(copy.getInt(CAP_OFFSET)) : 0,
        copy);
  }
}
