package dev.vfio.migration.vfio.linux;

/** A second descriptor of an open file, as a process gets one that takes a device over. */
public final class Duplicates {
  private static final int F_DUPFD_CLOEXEC = 1030;

  private Duplicates() {}

  public static Descriptor of(Descriptor original) throws ErrnoException {
    int number = LibC.fcntl(original.number(), F_DUPFD_CLOEXEC, 0);
    if (number < 0) {
      throw new ErrnoException("fcntl(F_DUPFD_CLOEXEC)", LibC.lastErrno());
    }
    return new Descriptor(number);
  }
}
