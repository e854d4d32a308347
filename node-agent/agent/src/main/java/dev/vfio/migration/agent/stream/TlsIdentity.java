package dev.vfio.migration.agent.stream;

import dev.vfio.migration.agent.stream.StreamException.Kind;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSsl;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
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
  private static final Duration LONGEST_READ = Duration.ofSeconds(3);

  private final Path directory;
  private final SslProvider provider;

  /** Reads the files, and nothing else. */
  private final ThreadPoolExecutor reader =
      new ThreadPoolExecutor(
          0,
          1,
          10,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          new DefaultThreadFactory("certificate-reader", true));

  // All guarded by this.
  private Loaded loaded;
  private CertificateFiles unusable;
  private Exception trouble;
  private CompletableFuture<Void> reading = CompletableFuture.completedFuture(null);

  /** Whether the read that is under way was waited for in vain. */
  private boolean hangs;

  private record Loaded(
      CertificateFiles files, SslContext server, SslContext client, X509Certificate own) {}

  TlsIdentity(Path directory) {
    this(directory, OpenSsl.isAvailable() ? SslProvider.OPENSSL : SslProvider.JDK);
  }

  TlsIdentity(Path directory, SslProvider provider) {
    this.directory = directory;
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
        ? "no certificate from " + directory
        : "the certificate in "
            + directory.resolve(CertificateFiles.CERTIFICATE)
            + " ("
            + NodeCertificate.describe(loaded.own())
            + ")";
  }

  /** Asked on event loops, too: a file system that hangs is waited for once, and not for long. */
  private Loaded current() throws StreamException {
    CompletableFuture<Void> asked;
    boolean wait;
    synchronized (this) {
      if (reading.isDone()) {
        reading = CompletableFuture.runAsync(this::read, reader);
        hangs = false;
      }
      asked = reading;
      wait = !hangs;
    }
    try {
      asked.get(wait ? LONGEST_READ.toMillis() : 0, TimeUnit.MILLISECONDS);
    } catch (TimeoutException late) {
      return instead(wait);
    } catch (ExecutionException fault) {
      throw new IllegalStateException(fault.getCause());
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
      return instead(false);
    }
    return usable();
  }

  private synchronized Loaded instead(boolean first) throws StreamException {
    hangs = true;
    if (loaded == null) {
      trouble =
          new IOException(
              "it could not be read within "
                  + LONGEST_READ.toMillis()
                  + " ms: its file system hangs");
    } else if (first) {
      LOG.warnf(
          "state stream: the certificates in %s could not be read within %d ms, their file system"
              + " hangs; goes on with %s",
          directory, LONGEST_READ.toMillis(), describe());
    }
    return usable();
  }

  private synchronized Loaded usable() throws StreamException {
    if (loaded == null) {
      throw new StreamException(
          Kind.UNAUTHENTICATED,
          "this agent has no usable certificate in "
              + directory
              + ": "
              + trouble
              + "; it needs tls.crt, tls.key (PKCS#8) and ca.crt",
          trouble);
    }
    return loaded;
  }

  /** On the reader's thread. */
  private void read() {
    CertificateFiles files = null;
    try {
      files = CertificateFiles.read(directory);
      take(files);
    } catch (IOException | GeneralSecurityException problem) {
      refuse(files, problem);
    }
  }

  private synchronized void take(CertificateFiles files)
      throws GeneralSecurityException, SSLException {
    if (loaded == null || !loaded.files().isSameAs(files)) {
      loaded = load(files);
      unusable = null;
      LOG.infof("state stream: uses %s", describe());
    }
  }

  private synchronized void refuse(CertificateFiles files, Exception problem) {
    trouble = problem;
    if (loaded == null) {
      return;
    }
    // Files may be replaced one after the other: what was good before is used until all fit.
    boolean said = files != null && unusable != null && unusable.isSameAs(files);
    unusable = files;
    if (!said) {
      LOG.warnf(
          "state stream: the certificates in %s changed, but cannot be used (%s);"
              + " goes on with %s",
          directory, problem, describe());
    }
  }

  private Loaded load(CertificateFiles files) throws GeneralSecurityException, SSLException {
    X509Certificate[] chain = files.chain();
    PrivateKey key = files.privateKey();
    X509ExtendedTrustManager trust = files.trust();
    SslContext server =
        SslContextBuilder.forServer(key, chain)
            .sslProvider(provider)
            .protocols(TLS_1_3)
            .trustManager(trust)
            .clientAuth(ClientAuth.REQUIRE)
            .build();
    SslContext client =
        SslContextBuilder.forClient()
            .sslProvider(provider)
            .protocols(TLS_1_3)
            .keyManager(key, chain)
            .trustManager(trust)
            .build();
    return new Loaded(files, server, client, chain[0]);
  }
}
