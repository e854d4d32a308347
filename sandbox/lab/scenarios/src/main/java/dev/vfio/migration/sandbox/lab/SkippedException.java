package dev.vfio.migration.sandbox.lab;

import java.io.IOException;

/** A scenario cannot be shown with this kernel; the message says why. Nothing was begun. */
final class SkippedException extends IOException {
  private static final long serialVersionUID = 1L;

  SkippedException(String message) {
    super(message);
  }
}
