package dev.vfio.migration.vfio.user;

/**
 * The messages of vfio-user, in the host's byte order. Every message starts with this header; the
 * payloads' offsets count from behind it.
 *
 * <pre>
 * header:            u16 id; u16 command; u32 size (with header); u32 flags; u32 error;
 * VERSION:           u16 major; u16 minor; JSON, terminated by NUL
 * DEVICE_GET_INFO:   u32 argsz; u32 flags; u32 num_regions; u32 num_irqs;
 * GET_REGION_INFO:   struct vfio_region_info and, in the reply, its capabilities
 * REGION_READ/WRITE: u64 offset; u32 region; u32 count; data
 * </pre>
 */
final class MessageLayout {
  static final int ID = 0;
  static final int COMMAND = 2;
  static final int MESSAGE_SIZE = 4;
  static final int FLAGS = 8;
  static final int ERROR = 12;
  static final int HEADER_BYTES = 16;

  static final int FLAG_TYPE_MASK = 0xf;
  static final int FLAG_TYPE_COMMAND = 0;
  static final int FLAG_TYPE_REPLY = 1;
  static final int FLAG_ERROR = 0x20;

  static final int VERSION_MAJOR = 0;
  static final int VERSION_MINOR = 2;
  static final int VERSION_DATA = 4;

  static final int INFO_ARGSZ = 0;
  static final int INFO_FLAGS = 4;
  static final int INFO_NUM_REGIONS = 8;
  static final int INFO_BYTES = 16;
  static final int INFO_FLAG_RESET = 1;
  static final int INFO_FLAG_PCI = 1 << 1;

  static final int TRANSFER_OFFSET = 0;
  static final int TRANSFER_REGION = 8;
  static final int TRANSFER_COUNT = 12;
  static final int TRANSFER_BYTES = 16;

  private MessageLayout() {}
}
