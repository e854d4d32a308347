package dev.vfio.migration.connections.certificates;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import org.jboss.logging.Logger;

/**
 * What a process makes of the files in a certificate directory. The files are read again each time,
 * so that a rotation needs no restart; where they cannot be used, what was made before is kept, and
 * one warning says so: the files may be replaced one after the other. Thread-safe.
 *
 * @param <T> what is made of the certificates
 */
public final class CertificateKeeper<T> {
  private final CertificateDirectory directory;
  private final Maker<T> maker;
  private final String user;
  private final Logger log;

  // All guarded by this.
  private CertificateFiles files;
  private Credentials credentials;
  private T made;
  private String lastTrouble;

  /** Makes something of certificates that can be used. */
  @FunctionalInterface
  public interface Maker<T> {
    T make(Credentials credentials) throws GeneralSecurityException, IOException;
  }

  /**
   * @param user who uses the certificates, as the warning begins, such as {@code state stream}
   * @param log takes the warning
   */
  public CertificateKeeper(Path directory, String user, Logger log, Maker<T> maker) {
    this.directory = new CertificateDirectory(directory);
    this.maker = maker;
    this.user = user;
    this.log = log;
  }

  public Path directory() {
    return directory.path();
  }

  /** The certificate in use; null before there is one. */
  public synchronized X509Certificate own() {
    return credentials == null ? null : credentials.own();
  }

  /**
   * What is made of the files as they are now; the same object while the files are the same. Where
   * they cannot be used, what was made of those before.
   *
   * @throws GeneralSecurityException where they cannot be used and never could; the message says
   *     which file and why
   * @throws IOException where nothing can be made of them and never could
   */
  public synchronized T current() throws GeneralSecurityException, IOException {
    try {
      return read();
    } catch (GeneralSecurityException | IOException unusable) {
      if (made == null) {
        throw unusable;
      }
      return made;
    }
  }

  /** As {@link #current()}, but throws whenever the files cannot be used. */
  public synchronized T read() throws GeneralSecurityException, IOException {
    try {
      CertificateFiles now = directory.read();
      if (files == null || !files.isSameAs(now)) {
        Credentials parsed = now.parse();
        made = maker.make(parsed);
        credentials = parsed;
        files = now;
      }
      lastTrouble = null;
      return made;
    } catch (GeneralSecurityException | IOException unusable) {
      warnOnce(String.valueOf(unusable.getMessage()));
      throw unusable;
    }
  }

  private void warnOnce(String trouble) {
    if (made != null && !trouble.equals(lastTrouble)) {
      lastTrouble = trouble;
      log.warnf(
          "%s: the certificates in %s cannot be used as they are now (%s); those that were read"
              + " before stay in use, and are valid until %s",
          user, directory.path(), trouble, credentials.own().getNotAfter().toInstant());
    }
  }
}
