package dev.vfio.migration.vfio.linux;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Memory without a name in any file system ({@code memfd_create(2)}). */
public final class MemoryFile {
  /** What the kernel's name of such memory begins with. */
  public static final String LINK = "/memfd:";

  static final int MFD_CLOEXEC = 1;

  private MemoryFile() {}

  /**
   * Makes zeroed memory. Pages are taken from the machine as they are written.
   *
   * @param name for people who look at {@code /proc}
   * @param size bytes, at least 1
   * @throws ErrnoException where the kernel refuses
   */
  public static Descriptor create(String name, long size) throws ErrnoException {
    byte[] text = name.getBytes(StandardCharsets.UTF_8);
    int fd = LibC.memfd_create(Arrays.copyOf(text, text.length + 1), MFD_CLOEXEC);
    if (fd < 0) {
      throw new ErrnoException("memfd_create(" + name + ")", LibC.lastErrno());
    }
    Descriptor memory = new Descriptor(fd);
    try {
      SystemCall.retried(
          "ftruncate of " + name + " to " + size + " bytes", () -> LibC.ftruncate(fd, size));
      return memory;
    } catch (ErrnoException failure) {
      memory.close();
      throw failure;
    }
  }
}
