package dev.vfio.migration.vfio.linux;

/**
 * The errno values that this library meets, as Linux numbers them on every architecture it runs on.
 *
 * <p>Source: {@code asm-generic/errno-base.h} and {@code asm-generic/errno.h}.
 */
public enum Errno {
  EPERM(1),
  ENOENT(2),
  ESRCH(3),
  EINTR(4),
  EIO(5),
  ENXIO(6),
  EBADF(9),
  EAGAIN(11),
  ENOMEM(12),
  EACCES(13),
  EFAULT(14),
  EBUSY(16),
  EEXIST(17),
  EXDEV(18),
  ENODEV(19),
  ENOTDIR(20),
  EISDIR(21),
  EINVAL(22),
  ENFILE(23),
  EMFILE(24),
  ENOTTY(25),
  EFBIG(27),
  ENOSPC(28),
  EROFS(30),
  EPIPE(32),
  ENAMETOOLONG(36),
  ENOSYS(38),
  ENOTEMPTY(39),
  ELOOP(40),
  ENOMSG(42),
  EPROTO(71),
  ENOTSOCK(88),
  EPROTONOSUPPORT(93),
  EOPNOTSUPP(95),
  ECONNRESET(104),
  ETIMEDOUT(110),
  ECONNREFUSED(111),
  EDQUOT(122);

  private final int number;

  Errno(int number) {
    this.number = number;
  }

  /** The number that the kernel uses. */
  public int number() {
    return number;
  }

  /** For messages: {@code "EINVAL (22)"}, or {@code "errno 200"} for one without a name here. */
  public static String describe(int number) {
    if (number == 0) {
      return "no errno given";
    }
    for (Errno errno : values()) {
      if (errno.number == number) {
        return errno.name() + " (" + number + ")";
      }
    }
    return "errno " + number;
  }
}
