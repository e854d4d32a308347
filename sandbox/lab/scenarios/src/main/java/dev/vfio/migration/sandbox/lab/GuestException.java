package dev.vfio.migration.sandbox.lab;

import java.io.IOException;

/** A guest did not run a command to its end. The message names the guest and the command. */
final class GuestException extends IOException {
  private static final long serialVersionUID = 1L;

  GuestException(String message) {
    super(message);
  }

  GuestException(String message, Throwable cause) {
    super(message, cause);
  }
}
