package dev.vfio.migration.vfio.linux;

import com.sun.jna.Platform;
import java.io.IOException;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the kernel says of an open descriptor. */
public final class OpenFile {
  // struct statfs { long f_type, f_bsize; u64 f_blocks, f_bfree, f_bavail, ...; };
  static final int FSTATFS_X86_64 = 138;
  static final int FSTATFS_GENERIC = 44;
  static final int STATFS_BYTES = 120;
  static final int STATFS_BLOCK_SIZE = 8;
  static final int STATFS_BLOCKS = 16;
  static final int STATFS_AVAILABLE = 32;

  // struct statx { __u32 stx_mask; ... __u64 stx_ino; ... };
  static final int STATX_INO = 0x100;
  static final int INODE = 0x20;

  private OpenFile() {}

  /**
   * A path by which this process, and nobody else, can open the same file once more. Good until the
   * descriptor is closed.
   */
  public static Path path(Descriptor descriptor) {
    return Path.of("/proc/self/fd", Integer.toString(descriptor.number()));
  }

  /** The kernel's name of what is behind it, such as {@code anon_inode:[vfio-device]}. */
  public static String name(Descriptor descriptor) throws IOException {
    return Files.readSymbolicLink(path(descriptor)).toString();
  }

  /** Lines such as {@code pos: 0}, some of them particular to the kind of file. */
  public static String facts(Descriptor descriptor) throws IOException {
    return Files.readString(Path.of("/proc/self/fdinfo", Integer.toString(descriptor.number())));
  }

  /**
   * What distinguishes the file behind it from every other of this machine, for as long as it
   * exists: {@code MAJOR:MINOR:INODE}. Not from one that is made later in its place, where its file
   * system uses numbers again.
   */
  public static String identity(Descriptor descriptor) throws ErrnoException {
    ByteBuffer found =
        Statx.of(
            descriptor.number(),
            "",
            FileStatus.AT_EMPTY_PATH | CharacterDevice.AT_STATX_DONT_SYNC,
            STATX_INO);
    return found.getInt(FileStatus.DEVICE_MAJOR)
        + ":"
        + found.getInt(FileStatus.DEVICE_MINOR)
        + ":"
        + Long.toUnsignedString(found.getLong(INODE));
  }

  /**
   * Bytes of the regular file behind it.
   *
   * @throws IOException where it is no regular file
   */
  public static long regularFileSize(Descriptor descriptor) throws IOException {
    return descriptor.regularFileSize();
  }

  /**
   * Whether a descriptor of ours is a duplicate of a process's.
   *
   * @return true also where the kernel was built without the call that compares
   */
  public static boolean isSame(Descriptor ours, ProcessDescriptor process, int theirs)
      throws ErrnoException {
    try {
      return ProcessDescriptor.sameFile(
          ProcessHandle.current().pid(), ours.number(), process.process(), theirs);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOSYS)) {
        return true;
      }
      throw failure;
    }
  }

  /**
   * Whether a descriptor of ours and one of a process are duplicates of one open file.
   *
   * @param process its number, as this process sees it
   * @return false also where either of them is closed, or the process has ended
   * @throws ErrnoException ENOSYS where the kernel was built without the call that compares
   */
  public static boolean isSame(Descriptor ours, long process, int theirs) throws ErrnoException {
    if (!ours.isOpen()) {
      return false;
    }
    try {
      return ProcessDescriptor.sameFile(
          ProcessHandle.current().pid(), ours.number(), process, theirs);
    } catch (ErrnoException failure) {
      if (failure.is(Errno.EBADF) || failure.is(Errno.ESRCH)) {
        return false;
      }
      throw failure;
    }
  }

  /**
   * Whether the descriptor only names a file ({@code O_PATH}): who has it need not be allowed to
   * read or write that file, and its access mode looks like that of one that may.
   */
  public static boolean onlyNames(Descriptor descriptor) throws ErrnoException {
    return (flags(descriptor) & LibC.O_PATH) != 0;
  }

  /** Whether the descriptor was opened for reading. */
  public static boolean readable(Descriptor descriptor) throws ErrnoException {
    return !onlyNames(descriptor) && (accessMode(descriptor) & 1) == 0;
  }

  /** Whether the descriptor was opened for reading and writing. */
  public static boolean writable(Descriptor descriptor) throws ErrnoException {
    return !onlyNames(descriptor) && accessMode(descriptor) == LibC.O_RDWR;
  }

  /**
   * Whether two descriptors of this process are duplicates of one open file.
   *
   * @return false also where the kernel was built without the call that compares
   */
  public static boolean isSame(Descriptor one, Descriptor other) throws ErrnoException {
    try {
      return isSame(one, ProcessHandle.current().pid(), other.number());
    } catch (ErrnoException failure) {
      if (failure.is(Errno.ENOSYS)) {
        return false;
      }
      throw failure;
    }
  }

  /**
   * Whether memory is behind it: a file of tmpfs, which a memfd is too, or of hugetlbfs. The kernel
   * has seals for just these, and says so without asking a file system that may never answer.
   */
  public static boolean isMemory(Descriptor descriptor) throws ErrnoException {
    if (LibC.fcntl(descriptor.number(), LibC.F_GET_SEALS, 0) >= 0) {
      return true;
    }
    int errno = LibC.lastErrno();
    if (errno == Errno.EINVAL.number()) {
      return false;
    }
    throw new ErrnoException("fcntl(F_GET_SEALS)", errno);
  }

  /**
   * Makes sure that the file can be read, and written by {@code pwrite}, without writing to it.
   * There may be no room on its file system all the same, and its owner may seal it later.
   *
   * @throws IOException where it was not opened for both, where its file system takes writes
   *     through mappings only, which hugetlbfs does, or where it is sealed against writing
   */
  public static void requireReadableAndWritable(Descriptor descriptor) throws IOException {
    if (onlyNames(descriptor) || accessMode(descriptor) != LibC.O_RDWR) {
      throw new IOException("it is not open for reading and writing");
    }
    int seals = LibC.fcntl(descriptor.number(), LibC.F_GET_SEALS, 0);
    if (seals > 0 && (seals & (LibC.F_SEAL_WRITE | LibC.F_SEAL_FUTURE_WRITE)) != 0) {
      throw new IOException("it is sealed against writing");
    }
    // The kernel looks whether the file has a way to be written before it looks at the count.
    try {
      SystemCall.retried("pwrite of nothing", () -> LibC.pwrite(descriptor.number(), 0, 0, 0));
    } catch (ErrnoException failure) {
      throw failure.is(Errno.EINVAL)
          ? new IOException(
              "its file system takes no writes but through a mapping, as hugetlbfs does, and the"
                  + " agent does not map what belongs to others; let the destination use a file of"
                  + " tmpfs")
          : failure;
    }
  }

  /**
   * Bytes that the file's file system has left for this process, by {@code fstatfs(2)}.
   *
   * @return {@link Long#MAX_VALUE} where it has no size of its own, as where a memfd is
   */
  public static long freeBytes(Descriptor descriptor) throws ErrnoException {
    ByteBuffer found = NativeMemory.allocate(STATFS_BYTES);
    long answer =
        LibC.syscall(
            Platform.isIntel() ? FSTATFS_X86_64 : FSTATFS_GENERIC,
            descriptor.number(),
            LibC.addressOf(found),
            0,
            0,
            0);
    int errno = LibC.lastErrno();
    Reference.reachabilityFence(found);
    if (answer < 0) {
      throw new ErrnoException("fstatfs", errno);
    }
    // hugetlbfs says -1 where only its least size was set.
    return found.getLong(STATFS_BLOCKS) <= 0
        ? Long.MAX_VALUE
        : found.getLong(STATFS_AVAILABLE) * found.getLong(STATFS_BLOCK_SIZE);
  }

  private static int accessMode(Descriptor descriptor) throws ErrnoException {
    return flags(descriptor) & LibC.O_ACCMODE;
  }

  private static int flags(Descriptor descriptor) throws ErrnoException {
    int flags = LibC.fcntl(descriptor.number(), LibC.F_GETFL, 0);
    if (flags < 0) {
      throw new ErrnoException("fcntl(F_GETFL)", LibC.lastErrno());
    }
    return flags;
  }
}
