package dev.vfio.migration.sandbox.devices.region;

/**
 * The 76 bytes at the beginning of the migration region, {@code struct vfio_device_migration_info}
 * of the 2018 text, packed: one 32-bit register, then nine 64-bit ones, none of them aligned.
 */
enum RegionLayout {
  DEVICE_STATE(0, 4),
  PRECOPY_ONLY(4, 8),
  COMPATIBLE(12, 8),
  POSTCOPY_ONLY(20, 8),
  THRESHOLD_SIZE(28, 8),
  DATA_OFFSET(36, 8),
  DATA_SIZE(44, 8),
  START_ADDRESS(52, 8),
  TOTAL(60, 8),
  COPIED(68, 8);

  /** Where the registers end and data may begin. */
  static final int END = 76;

  private static final RegionLayout[] REGISTERS = values();

  private final int offset;
  private final int width;

  RegionLayout(int offset, int width) {
    this.offset = offset;
    this.width = width;
  }

  int offset() {
    return offset;
  }

  int width() {
    return width;
  }

  /** The register that holds that byte; {@code offset} is 0 to 75. */
  static RegionLayout at(long offset) {
    RegionLayout found = DEVICE_STATE;
    for (RegionLayout register : REGISTERS) {
      if (register.offset <= offset) {
        found = register;
      }
    }
    return found;
  }

  /**
   * Whether an access of that width is one the register takes: all of it, or one half of a 64-bit
   * register (a bus may split an access).
   */
  boolean takes(long accessOffset, int accessWidth) {
    boolean whole = accessOffset == offset && accessWidth == width;
    boolean half =
        width == Long.BYTES
            && accessWidth == Integer.BYTES
            && (accessOffset == offset || accessOffset == offset + Integer.BYTES);
    return whole || half;
  }

  /** Whether that access holds the register's first byte, with which a read takes effect. */
  boolean begins(long accessOffset) {
    return accessOffset == offset;
  }

  /** Whether that access holds the register's last byte, with which a write takes effect. */
  boolean ends(long accessOffset, int accessWidth) {
    return accessOffset + accessWidth == offset + width;
  }
}
