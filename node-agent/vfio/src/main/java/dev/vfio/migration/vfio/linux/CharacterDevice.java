package dev.vfio.migration.vfio.linux;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Optional;

/**
 * Recognises a character device by its number, which nobody can choose. Its name is chosen by
 * whoever owns a mount namespace. Safe for use by several threads.
 *
 * <p>Source: {@code statx(2)}.
 *
 * <pre>
 * struct statx { __u32 stx_mask; ... __u16 stx_mode; ... __u32 stx_rdev_major, stx_rdev_minor; ... };
 * </pre>
 */
public final class CharacterDevice {
  static final int AT_FDCWD = -100;
  static final int AT_STATX_DONT_SYNC = 0x4000;
  static final int STATX_TYPE = 1;
  static final int MODE = 0x1c;
  static final int MAJOR = 0x80;
  static final int MINOR = 0x84;
  static final int S_IFMT = 0xf000;
  static final int S_IFCHR = 0x2000;

  private CharacterDevice() {}

  /**
   * The number of the character device that a path leads to, as sysfs writes it: {@code 511:3}.
   * Asks no server of a file system for anything, because the file may be one that its owner lets
   * nobody look at.
   *
   * @return empty where it is something else, or nothing that can be looked at
   * @throws ErrnoException ENOSYS before Linux 4.11
   */
  public static Optional<String> number(Path path) throws ErrnoException {
    ByteBuffer found;
    try {
      found = Statx.of(AT_FDCWD, path.toString(), AT_STATX_DONT_SYNC, STATX_TYPE);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOSYS)) {
        throw failure;
      }
      return Optional.empty();
    }
    return (found.getShort(MODE) & S_IFMT) == S_IFCHR
        ? Optional.of(found.getInt(MAJOR) + ":" + found.getInt(MINOR))
        : Optional.empty();
  }
}
