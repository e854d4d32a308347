package dev.vfio.migration.sandbox.devices.refusal;

/** The Linux error numbers (asm-generic/errno.h) that this process answers with. */
public final class Errno {
  public static final int EIO = 5;
  public static final int EBUSY = 16;
  public static final int EINVAL = 22;
  public static final int ENOTTY = 25;
  public static final int EOPNOTSUPP = 95;
  public static final int ESTALE = 116;

  private Errno() {}
}
