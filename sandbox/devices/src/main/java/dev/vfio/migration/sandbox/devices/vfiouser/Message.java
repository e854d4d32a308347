package dev.vfio.migration.sandbox.devices.vfiouser;

/**
 * Numbers of the vfio-user protocol (QEMU, docs/interop/vfio-user.rst): a 16-byte header {u16
 * message id, u16 command, u32 size with the header, u32 flags, u32 errno}, then the payload. All
 * of it in the byte order of the host.
 */
final class Message {
  static final int ID = 0;
  static final int COMMAND = 2;
  static final int SIZE = 4;
  static final int FLAGS = 8;
  static final int ERROR = 12;
  static final int HEADER_SIZE = 16;

  static final int TYPE_MASK = 0xF;
  static final int TYPE_COMMAND = 0;
  static final int TYPE_REPLY = 1;
  static final int NO_REPLY = 0x10;
  static final int IS_ERROR = 0x20;

  static final int VERSION = 1;
  static final int DMA_MAP = 2;
  static final int DMA_UNMAP = 3;
  static final int DEVICE_GET_INFO = 4;
  static final int DEVICE_GET_REGION_INFO = 5;
  static final int DEVICE_GET_REGION_IO_FDS = 6;
  static final int DEVICE_GET_IRQ_INFO = 7;
  static final int DEVICE_SET_IRQS = 8;
  static final int REGION_READ = 9;
  static final int REGION_WRITE = 10;
  static final int DEVICE_RESET = 13;
  static final int REGION_WRITE_MULTI = 15;
  static final int DEVICE_FEATURE = 16;
  static final int MIG_DATA_READ = 17;
  static final int MIG_DATA_WRITE = 18;

  /** {u64 offset, u32 region, u32 count} before the data of a region access. */
  static final int ACCESS_SIZE = 16;

  /** The most data that one message carries, in bytes: the protocol's own default. */
  static final int MAX_TRANSFER = 1 << 20;

  private Message() {}
}
