package dev.vfio.migration.sandbox.cluster.process;

import java.io.IOException;

/**
 * A process of the sandbox did not start, ended too early or did not get ready in time. The message
 * names it, says what its log said last and where the log is.
 */
public class ProcessException extends IOException {
  private static final long serialVersionUID = 1L;

  public ProcessException(String message) {
    super(message);
  }

  public ProcessException(String message, Throwable cause) {
    super(message, cause);
  }
}
