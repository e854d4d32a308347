package dev.vfio.migration.vfio.linux;

import java.io.ByteArrayOutputStream;
import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Set;

/**
 * Reads files that the kernel generates, in {@code /proc}, sysfs and cgroups, and keeps the errno
 * of a failure: most of these files belong to others, and vanish or refuse while they are read.
 * Safe for use by several threads.
 */
public final class KernelText {
  private static final int CHUNK = 4096;
  private static final int MAX_LINK_BYTES = 4096;

  /** More than any of these files has, so that a look at one ends. */
  private static final int MAX_BYTES = 8 << 20;

  private static final Set<Errno> OWN_SHORTAGE = Set.of(Errno.ENOMEM, Errno.EMFILE, Errno.ENFILE);

  private KernelText() {}

  /**
   * The whole text of a file.
   *
   * @throws ErrnoException ENOENT, ESRCH or ENODEV where it does not exist or vanishes while it is
   *     read; EOPNOTSUPP, EACCES and others where it refuses; EFBIG where it has more than 8 MiB
   */
  public static String read(Path path) throws ErrnoException {
    ByteArrayOutputStream text = new ByteArrayOutputStream();
    ByteBuffer chunk = ByteBuffer.allocateDirect(CHUNK);
    byte[] bytes = new byte[CHUNK];
    try (Descriptor file = Descriptor.open(path, LibC.O_RDONLY | LibC.O_NONBLOCK, path)) {
      String call = "read of " + path;
      while (true) {
        int got =
            (int)
                SystemCall.retried(
                    call, () -> LibC.read(file.number(), LibC.addressOf(chunk), CHUNK));
        if (got == 0) {
          return text.toString(StandardCharsets.UTF_8);
        }
        chunk.get(0, bytes, 0, got);
        text.write(bytes, 0, got);
        if (text.size() > MAX_BYTES) {
          throw new ErrnoException(call, Errno.EFBIG.number());
        }
      }
    }
  }

  /**
   * Where a link leads.
   *
   * @throws ErrnoException ENOENT where it does not exist; EINVAL where it is no link; ENAMETOOLONG
   *     where the kernel cannot say
   */
  public static String link(Path path) throws ErrnoException {
    return new Links().read(path);
  }

  /** Reads many links, with one buffer. For one thread. */
  public static final class Links {
    private final ByteBuffer target = ByteBuffer.allocateDirect(MAX_LINK_BYTES);
    private final byte[] bytes = new byte[MAX_LINK_BYTES];

    /** As {@link KernelText#link}. */
    public String read(Path path) throws ErrnoException {
      byte[] name = path.toString().getBytes(StandardCharsets.UTF_8);
      long got =
          LibC.readlink(
              Arrays.copyOf(name, name.length + 1), LibC.addressOf(target), MAX_LINK_BYTES);
      int errno = LibC.lastErrno();
      Reference.reachabilityFence(target);
      if (got < 0) {
        throw new ErrnoException("readlink of " + path, errno);
      }
      target.get(0, bytes, 0, (int) got);
      return new String(bytes, 0, (int) got, StandardCharsets.UTF_8);
    }
  }

  /** Whether a failure is this process's own lack of memory or descriptors. */
  public static boolean isOwnShortage(ErrnoException failure) {
    return OWN_SHORTAGE.stream().anyMatch(failure::is);
  }

  /** Whether the file does not exist, or vanished while it was read. */
  public static boolean isMissing(ErrnoException failure) {
    return failure.is(Errno.ENOENT)
        || failure.is(Errno.ESRCH)
        || failure.is(Errno.ENODEV)
        || failure.is(Errno.ENXIO)
        || failure.is(Errno.ENOTDIR);
  }

  /** Whether this process may not look. */
  public static boolean isDenied(ErrnoException failure) {
    return failure.is(Errno.EACCES) || failure.is(Errno.EPERM);
  }
}
