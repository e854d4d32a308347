package dev.vfio.migration.operator.agents;

import dev.vfio.migration.connections.certificates.CertificateDirectory;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.Credentials;
import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Instant;
import javax.net.ssl.SSLException;
import org.jboss.logging.Logger;

/**
 * The operator's certificate, key and authority, read from a directory in the kubernetes.io/tls
 * convention ({@code tls.crt}, {@code tls.key}, {@code ca.crt}).
 *
 * <p>The files are read again whenever a connection is made, so that a rotation needs no restart.
 * What was good before is used on while they cannot be used: they may be replaced one after the
 * other. Thread-safe.
 */
public final class TlsFiles {
  private static final Logger LOG = Logger.getLogger(TlsFiles.class);

  private final CertificateDirectory directory;
  private final Clock clock;

  private Loaded loaded;
  private String lastTrouble;

  private record Loaded(CertificateFiles files, X509Certificate own, SslContext context) {}

  public TlsFiles(Path directory, Clock clock) {
    this.directory = new CertificateDirectory(directory);
    this.clock = clock;
  }

  /**
   * A TLS 1.3 client context for a connection to an agent, whose authority must be the name that
   * the agent's certificate is to carry.
   *
   * @throws CredentialsException when the files cannot be used, and never could, or the certificate
   *     is not valid now
   */
  public synchronized SslContext context() throws CredentialsException {
    load();
    requireValid(loaded.own());
    return loaded.context();
  }

  /**
   * Reads the files.
   *
   * @throws CredentialsException when they cannot be used, and never could
   */
  public synchronized void load() throws CredentialsException {
    try {
      CertificateFiles files = directory.read();
      if (loaded == null || !loaded.files().isSameAs(files)) {
        loaded = load(files);
      }
      lastTrouble = null;
    } catch (GeneralSecurityException | SSLException unusable) {
      if (loaded == null) {
        throw new CredentialsException(
            "the operator's own certificates cannot be used: " + unusable.getMessage(), unusable);
      }
      if (!unusable.getMessage().equals(lastTrouble)) {
        lastTrouble = unusable.getMessage();
        LOG.warnf(
            "The certificates in %s cannot be used as they are now (%s); goes on with those from"
                + " before, which are valid until %s",
            directory.path(), lastTrouble, loaded.own().getNotAfter().toInstant());
      }
    }
  }

  private static Loaded load(CertificateFiles files) throws GeneralSecurityException, SSLException {
    Credentials credentials = files.parse();
    SslContext context =
        GrpcSslContexts.forClient()
            .keyManager(credentials.key(), credentials.chainArray())
            .trustManager(new AgentTrust(credentials.trust()))
            .protocols("TLSv1.3")
            .build();
    return new Loaded(files, credentials.own(), context);
  }

  private void requireValid(X509Certificate own) throws CredentialsException {
    Instant instant = clock.instant();
    if (instant.isAfter(own.getNotAfter().toInstant())) {
      throw new CredentialsException(
          "the operator's own certificate in "
              + directory.path()
              + " expired at "
              + own.getNotAfter().toInstant()
              + "; renew it",
          null);
    }
    if (instant.isBefore(own.getNotBefore().toInstant())) {
      throw new CredentialsException(
          "the operator's own certificate in "
              + directory.path()
              + " is not valid before "
              + own.getNotBefore().toInstant()
              + "; see whether this node's clock is right",
          null);
    }
  }

  /** The operator's own certificates cannot be used. The message says which file and why. */
  public static final class CredentialsException extends Exception {
    private static final long serialVersionUID = 1L;

    CredentialsException(String message, Throwable cause) {
      super(message, cause);
    }
  }
}
