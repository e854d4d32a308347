package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.CertificateKeeper;
import dev.vfio.migration.connections.certificates.Credentials;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLException;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jboss.logging.Logger;

/**
 * Who this agent is on the state stream, and whom it trusts: a certificate directory, looked at
 * again for each connection, so that rotated certificates count without a restart. TLS 1.3 only, by
 * BoringSSL where its library is there, else by the Java platform. Thread-safe.
 */
final class TlsIdentity {
  private static final Logger LOG = Logger.getLogger(TlsIdentity.class);
  private static final String TLS_1_3 = "TLSv1.3";

  private final CertificateKeeper<Contexts> certificates;
  private final SslProvider provider;

  private record Contexts(SslContext server, SslContext client) {}

  TlsIdentity(Path directory) {
    this(directory, OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK);
  }

  TlsIdentity(Path directory, SslProvider provider) {
    this.provider = provider;
    this.certificates = new CertificateKeeper<>(directory, "state stream", LOG, this::contexts);
  }

  SslProvider provider() {
    return provider;
  }

  /** For the destination's end: asks for a certificate and insists. */
  SslContext server() throws StreamException {
    return current().server();
  }

  /** For the source's end. */
  SslContext client() throws StreamException {
    return current().client();
  }

  /** Names and validity of the own certificate, for messages. */
  String describe() {
    X509Certificate own = certificates.own();
    return own == null ? "no certificate from " + certificates.directory() : describe(own);
  }

  private String describe(X509Certificate own) {
    return String.format(
        "the certificate in %s (%s)",
        certificates.directory().resolve(CertificateFiles.CERTIFICATE),
        NodeCertificate.describe(own));
  }

  /** Also called on event loops. */
  private Contexts current() throws StreamException {
    try {
      return certificates.current();
    } catch (GeneralSecurityException | IOException trouble) {
      throw new StreamException(
          Kind.UNAUTHENTICATED,
          "this agent has no usable certificate in "
              + certificates.directory()
              + ": "
              + trouble.getMessage(),
          trouble);
    }
  }

  private Contexts contexts(Credentials credentials) throws GeneralSecurityException, SSLException {
    X509ExtendedTrustManager trust = new ExplainingTrust(credentials.trust());
    SslContext server =
        SslContextBuilder.forServer(credentials.key(), credentials.chainArray())
            .sslProvider(provider)
            .protocols(TLS_1_3)
            .trustManager(trust)
            .clientAuth(ClientAuth.REQUIRE)
            .build();
    SslContext client =
        SslContextBuilder.forClient()
            .sslProvider(provider)
            .protocols(TLS_1_3)
            .keyManager(credentials.key(), credentials.chainArray())
            .trustManager(trust)
            .build();
    LOG.infof("state stream: uses %s", describe(credentials.own()));
    return new Contexts(server, client);
  }
}
