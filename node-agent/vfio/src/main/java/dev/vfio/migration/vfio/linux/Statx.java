package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** The call {@code statx(2)}, which since Linux 4.11 says what a file is. */
final class Statx {
  static final int STATX_X86_64 = 332;
  static final int STATX_GENERIC = 291;
  static final int BYTES = 0x100;

  private Statx() {}

  /**
   * Asks the kernel.
   *
   * @param directory descriptor that a relative path starts at
   * @return its {@code struct statx}
   * @throws ErrnoException where the kernel refuses; ENOSYS before Linux 4.11
   */
  static ByteBuffer of(int directory, String path, int flags, int mask) throws ErrnoException {
    byte[] text = path.getBytes(StandardCharsets.UTF_8);
    ByteBuffer name = ByteBuffer.allocateDirect(text.length + 1);
    name.put(0, Arrays.copyOf(text, text.length + 1));
    ByteBuffer found = NativeMemory.allocate(BYTES);
    long answer =
        LibC.syscall(
            Platform.isIntel() ? STATX_X86_64 : STATX_GENERIC,
            directory,
            LibC.addressOf(name),
            flags,
            mask,
            LibC.addressOf(found));
    int errno = LibC.lastErrno();
    Reference.reachabilityFence(name);
    if (answer < 0) {
      throw new ErrnoException("statx(" + path + ")", errno);
    }
    return found;
  }
}
