package dev.vfio.migration.vfio.linux;

import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Assumptions;

/** Memory that looks like any other and cannot be written by {@code pwrite}. */
public final class HugeMemory {
  private static final int MFD_ALLOW_SEALING = 2;
  private static final int MFD_HUGETLB = 4;
  private static final int F_ADD_SEALS = 1033;
  private static final int F_SEAL_WRITE = 8;

  private HugeMemory() {}

  /** A file of hugetlbfs; needs no huge page before somebody writes to it through a mapping. */
  public static Descriptor create(long size) throws ErrnoException {
    return sized(MFD_HUGETLB, size);
  }

  /** A file of tmpfs that nobody may write to any more. */
  public static Descriptor sealed(long size) throws ErrnoException {
    Descriptor memory = sized(MFD_ALLOW_SEALING, size);
    if (LibC.fcntl(memory.number(), F_ADD_SEALS, F_SEAL_WRITE) < 0) {
      throw new ErrnoException("fcntl(F_ADD_SEALS)", LibC.lastErrno());
    }
    return memory;
  }

  private static Descriptor sized(int flags, long size) throws ErrnoException {
    byte[] name = "memory\0".getBytes(StandardCharsets.US_ASCII);
    int fd = LibC.memfd_create(name, flags | MemoryFile.MFD_CLOEXEC);
    Assumptions.assumeTrue(fd >= 0, "this kernel has no such memory");
    Descriptor memory = new Descriptor(fd);
    if (LibC.ftruncate(fd, size) < 0) {
      int errno = LibC.lastErrno();
      memory.close();
      throw new ErrnoException("ftruncate", errno);
    }
    return memory;
  }
}
