package dev.vfio.migration.vfio.workload;

import java.io.IOException;

/** A workload did not do what was asked, or what it said of itself cannot be used. */
public class WorkloadException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  public WorkloadException(int errno, String message, Throwable cause) {
    super(message, cause);
    this.errno = errno;
  }

  /** The errno that the workload or the kernel gave; 0 where there was none. */
  public int errno() {
    return errno;
  }
}
