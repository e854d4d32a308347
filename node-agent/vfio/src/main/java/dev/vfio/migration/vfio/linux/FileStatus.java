package dev.vfio.migration.vfio.linux;

import java.nio.ByteBuffer;

/**
 * What the kernel says of the file behind an open descriptor, all of it from one look.
 *
 * <p>Source: {@code statx(2)}.
 *
 * <pre>
 * struct statx { __u32 stx_mask; ... __u32 stx_nlink; __u32 stx_uid; ... __u16 stx_mode;
 *                __u64 stx_ino; __u64 stx_size; __u64 stx_blocks; ... __u32 stx_dev_major, stx_dev_minor; ... };
 * </pre>
 *
 * @param mode type and permissions, as {@code st_mode}
 * @param owner user id
 * @param size bytes
 * @param allocated bytes that the file takes of its file system, less than its size where it has
 *     holes
 * @param links names that the file has; 0 where it was removed
 * @param device number of the file system, {@code MAJOR:MINOR}
 */
public record FileStatus(
    int mode, int owner, long size, long allocated, long links, String device) {
  static final int AT_EMPTY_PATH = 0x1000;
  static final int STATX_BASIC_STATS = 0x7ff;
  static final int LINKS = 0x10;
  static final int OWNER = 0x14;
  static final int SIZE = 0x28;
  static final int BLOCKS = 0x30;

  /** Whatever the file system's own blocks are. */
  private static final int BLOCK_BYTES = 512;

  static final int DEVICE_MAJOR = 0x88;
  static final int DEVICE_MINOR = 0x8c;
  static final int S_IFIFO = 0x1000;
  static final int S_IFDIR = 0x4000;
  static final int S_IFBLK = 0x6000;
  static final int S_IFREG = 0x8000;
  static final int S_IFLNK = 0xa000;
  static final int S_IFSOCK = 0xc000;
  static final int S_ISUID = 0x800;
  static final int S_ISGID = 0x400;

  /**
   * Looks at the file, also at one that the descriptor only names ({@code O_PATH}), and asks no
   * server of a file system for what the kernel knows already.
   *
   * @throws ErrnoException ENOSYS before Linux 4.11
   */
  public static FileStatus of(Descriptor descriptor) throws ErrnoException {
    ByteBuffer found =
        Statx.of(
            descriptor.number(),
            "",
            AT_EMPTY_PATH | CharacterDevice.AT_STATX_DONT_SYNC,
            STATX_BASIC_STATS);
    return new FileStatus(
        Short.toUnsignedInt(found.getShort(CharacterDevice.MODE)),
        found.getInt(OWNER),
        found.getLong(SIZE),
        found.getLong(BLOCKS) * BLOCK_BYTES,
        Integer.toUnsignedLong(found.getInt(LINKS)),
        found.getInt(DEVICE_MAJOR) + ":" + found.getInt(DEVICE_MINOR));
  }

  public boolean regularFile() {
    return type() == S_IFREG;
  }

  public boolean socket() {
    return type() == S_IFSOCK;
  }

  public boolean directory() {
    return type() == S_IFDIR;
  }

  /** Whether running the file would give somebody its owner's or its group's rights. */
  public boolean givesRights() {
    return (mode & (S_ISUID | S_ISGID)) != 0;
  }

  /** For messages: {@code "a FIFO"}. */
  public String kind() {
    return switch (type()) {
      case S_IFREG -> "a regular file";
      case S_IFDIR -> "a directory";
      case S_IFLNK -> "a link";
      case S_IFIFO -> "a FIFO";
      case S_IFSOCK -> "a socket";
      case S_IFBLK -> "a block device";
      case CharacterDevice.S_IFCHR -> "a character device";
      default -> "a file of the unknown type 0" + Integer.toOctalString(type());
    };
  }

  private int type() {
    return mode & CharacterDevice.S_IFMT;
  }
}
