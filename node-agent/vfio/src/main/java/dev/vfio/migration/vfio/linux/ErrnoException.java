package dev.vfio.migration.vfio.linux;

import java.io.IOException;

/** A system call failed. */
public final class ErrnoException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  public ErrnoException(String call, int errno) {
    super(call + " failed: " + Errno.describe(errno));
    this.errno = errno;
  }

  /**
   * @param meaning of this errno at this call, for people
   */
  ErrnoException(String call, int errno, String meaning) {
    super(call + " failed: " + Errno.describe(errno) + ": " + meaning);
    this.errno = errno;
  }

  /** The errno that the kernel gave, never 0. */
  public int errno() {
    return errno;
  }

  /** The errno of a failed system call; 0 for any other failure. */
  public static int errnoOf(IOException failure) {
    return failure instanceof ErrnoException call ? call.errno() : 0;
  }

  public boolean is(Errno candidate) {
    return errno == candidate.number();
  }
}
