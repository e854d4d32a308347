package dev.vfio.migration.vfio.workload;

import dev.vfio.migration.text.ForeignText;
import java.io.IOException;

/**
 * A workload did not do what was asked, or what it said of itself cannot be used. The message is
 * one line of a bounded length, whatever the workload said.
 */
public class WorkloadException extends IOException {
  private static final long serialVersionUID = 1L;

  private final int errno;

  public WorkloadException(int errno, String message, Throwable cause) {
    super(ForeignText.message(message), cause);
    this.errno = errno;
  }

  /** The errno that the workload or the kernel gave; 0 where there was none. */
  public int errno() {
    return errno;
  }
}
