package dev.vfio.migration.operator.agents;

import dev.vfio.migration.connections.certificates.CertificateKeeper;
import dev.vfio.migration.connections.certificates.Credentials;
import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Instant;
import javax.net.ssl.SSLException;
import org.jboss.logging.Logger;

/**
 * The operator's certificate, key and authority, read from a directory in the kubernetes.io/tls
 * convention ({@code tls.crt}, {@code tls.key}, {@code ca.crt}), again whenever a connection is
 * made. Thread-safe.
 */
public final class TlsFiles {
  private static final Logger LOG = Logger.getLogger(TlsFiles.class);

  private final CertificateKeeper<Usable> certificates;
  private final Clock clock;

  private record Usable(X509Certificate own, SslContext context) {}

  public TlsFiles(Path directory, Clock clock) {
    this.certificates =
        new CertificateKeeper<>(directory, "connections to agents", LOG, TlsFiles::context);
    this.clock = clock;
  }

  /**
   * A TLS 1.3 client context for a connection to an agent, whose authority must be the name that
   * the agent's certificate is to carry.
   *
   * @throws CredentialsException when the files cannot be used, and never could, or the certificate
   *     is not valid now
   */
  public SslContext context() throws CredentialsException {
    Usable usable = usable();
    requireValid(usable.own());
    return usable.context();
  }

  /**
   * Reads the files.
   *
   * @throws CredentialsException when they cannot be used, and never could
   */
  public void load() throws CredentialsException {
    usable();
  }

  private Usable usable() throws CredentialsException {
    try {
      return certificates.current();
    } catch (GeneralSecurityException | IOException unusable) {
      throw new CredentialsException(
          "the operator's own certificates cannot be used: " + unusable.getMessage(), unusable);
    }
  }

  private static Usable context(Credentials credentials)
      throws GeneralSecurityException, SSLException {
    SslContext context =
        GrpcSslContexts.forClient()
            .keyManager(credentials.key(), credentials.chainArray())
            .trustManager(new AgentTrust(credentials.trust()))
            .protocols("TLSv1.3")
            .build();
    return new Usable(credentials.own(), context);
  }

  private void requireValid(X509Certificate own) throws CredentialsException {
    Instant instant = clock.instant();
    if (instant.isAfter(own.getNotAfter().toInstant())) {
      throw new CredentialsException(
          "the operator's own certificate in %s expired at %s; renew it"
              .formatted(certificates.directory(), own.getNotAfter().toInstant()),
          null);
    }
    if (instant.isBefore(own.getNotBefore().toInstant())) {
      throw new CredentialsException(
          """
          the operator's own certificate in %s is not valid before %s; check that this node's \
          clock is right\
          """
              .formatted(certificates.directory(), own.getNotBefore().toInstant()),
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
