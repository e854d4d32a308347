package dev.vfio.migration.connections.certificates;

import java.security.GeneralSecurityException;

/** A file of certificates or keys cannot be used. The message: which, what it holds, what to do. */
public final class UnusableCertificatesException extends GeneralSecurityException {
  private static final long serialVersionUID = 1L;

  UnusableCertificatesException(String message) {
    super(message);
  }

  UnusableCertificatesException(String message, Throwable cause) {
    super(message, cause);
  }
}
