package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.connections.certificates.CertificateDirectory;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.Credentials;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
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

  private final CertificateDirectory directory;
  private final SslProvider provider;
  private Loaded loaded;
  private String lastTrouble;

  private record Loaded(
      CertificateFiles files, SslContext server, SslContext client, X509Certificate own) {}

  TlsIdentity(Path directory) {
    this(directory, OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK);
  }

  TlsIdentity(Path directory, SslProvider provider) {
    this.directory = new CertificateDirectory(directory);
    this.provider = provider;
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
  synchronized String describe() {
    return loaded == null
        ? "no certificate from " + directory.path()
        : "the certificate in "
            + directory.path().resolve(CertificateFiles.CERTIFICATE)
            + " ("
            + NodeCertificate.describe(loaded.own())
            + ")";
  }

  /** Asked on event loops, too. */
  private synchronized Loaded current() throws StreamException {
    try {
      CertificateFiles files = directory.read();
      if (loaded == null || !loaded.files().isSameAs(files)) {
        loaded = load(files);
        LOG.infof("state stream: uses %s", describe());
      }
      lastTrouble = null;
    } catch (SSLException | GeneralSecurityException trouble) {
      if (loaded == null) {
        throw new StreamException(
            Kind.UNAUTHENTICATED,
            "this agent has no usable certificate in "
                + directory.path()
                + ": "
                + trouble.getMessage(),
            trouble);
      }
      // Files may be replaced one after the other: what was good before is used until all fit.
      if (!String.valueOf(trouble.getMessage()).equals(lastTrouble)) {
        lastTrouble = String.valueOf(trouble.getMessage());
        LOG.warnf(
            "state stream: the certificates in %s cannot be used as they are now (%s);"
                + " goes on with %s",
            directory.path(), lastTrouble, describe());
      }
    }
    return loaded;
  }

  private Loaded load(CertificateFiles files) throws GeneralSecurityException, SSLException {
    Credentials credentials = files.parse();
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
    return new Loaded(files, server, client, credentials.own());
  }
}
