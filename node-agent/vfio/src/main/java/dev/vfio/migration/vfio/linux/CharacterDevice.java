package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;

/**
 * Tells a character device by its number, which nobody chooses, and not by its name, which whoever
 * owns a mount namespace does. Safe for use by several threads.
 *
 * <p>Source: {@code statx(2)}.
 *
 * <pre>
 * struct statx { __u32 stx_mask; ... __u16 stx_mode; ... __u32 stx_rdev_major, stx_rdev_minor; ... };
 * </pre>
 */
public final class CharacterDevice {
  static final int STATX_X86_64 = 332;
  static final int STATX_GENERIC = 291;
  static final int AT_FDCWD = -100;
  static final int AT_STATX_DONT_SYNC = 0x4000;
  static final int STATX_TYPE = 1;
  static final int MODE = 0x1c;
  static final int MAJOR = 0x80;
  static final int MINOR = 0x84;
  static final int BYTES = 0x100;
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
    byte[] text = path.toString().getBytes(StandardCharsets.UTF_8);
    ByteBuffer name = ByteBuffer.allocateDirect(text.length + 1);
    name.put(0, Arrays.copyOf(text, text.length + 1));
    ByteBuffer found = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder());
    long answer =
        LibC.syscall(
            Platform.isIntel() ? STATX_X86_64 : STATX_GENERIC,
            AT_FDCWD,
            LibC.addressOf(name),
            AT_STATX_DONT_SYNC,
            STATX_TYPE,
            LibC.addressOf(found));
    int errno = LibC.lastErrno();
    Reference.reachabilityFence(name);
    if (answer < 0) {
      if (errno == Errno.ENOSYS.number()) {
        throw new ErrnoException("statx(" + path + ")", errno);
      }
      return Optional.empty();
    }
    return (found.getShort(MODE) & S_IFMT) == S_IFCHR
        ? Optional.of(found.getInt(MAJOR) + ":" + found.getInt(MINOR))
        : Optional.empty();
  }
}
