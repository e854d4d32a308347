package dev.vfio.migration.operator.agents;

import io.grpc.netty.GrpcSslContexts;
import io.netty.handler.ssl.SslContext;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.net.ssl.SSLException;

/**
 * The operator's certificate, key and authority, read from a directory in the kubernetes.io/tls
 * convention ({@code tls.crt}, {@code tls.key} as PKCS#8, {@code ca.crt}).
 *
 * <p>The files are read again whenever a connection is made, so that a rotation needs no restart; a
 * context is only built again when they changed. Thread-safe.
 */
public final class TlsFiles {
  private static final Duration LONGEST_READ = Duration.ofSeconds(3);

  private final Path directory;
  private final Clock clock;

  /** Reads the files, and nothing else. */
  private final ThreadPoolExecutor reader =
      new ThreadPoolExecutor(
          0,
          1,
          10,
          TimeUnit.SECONDS,
          new LinkedBlockingQueue<>(),
          task -> {
            Thread thread = new Thread(task, "certificate-reader");
            thread.setDaemon(true);
            return thread;
          });

  // All guarded by this.
  private Content content;
  private SslContext context;
  private CompletableFuture<Content> reading = CompletableFuture.completedFuture(null);

  /** Whether the read that is under way was waited for in vain. */
  private boolean hangs;

  public TlsFiles(Path directory, Clock clock) {
    this.directory = directory;
    this.clock = clock;
  }

  /**
   * A TLS 1.3 client context of the files as they are now.
   *
   * @throws CredentialsException when a file is missing, unreadable or malformed, or the
   *     certificate is not valid now
   */
  public SslContext context() throws CredentialsException {
    Content now = current();
    synchronized (this) {
      requireValid(now);
      if (context == null || !now.equals(content)) {
        context = build(now);
        content = now;
      }
      return context;
    }
  }

  /** A file system that hangs is waited for once, and not for long: all agents share the caller. */
  private Content current() throws CredentialsException {
    CompletableFuture<Content> asked;
    boolean wait;
    synchronized (this) {
      if (reading.isDone()) {
        CompletableFuture<Content> begun = new CompletableFuture<>();
        reader.execute(() -> read(begun));
        reading = begun;
        hangs = false;
      }
      asked = reading;
      wait = !hangs;
    }
    try {
      return asked.get(wait ? LONGEST_READ.toMillis() : 0, TimeUnit.MILLISECONDS);
    } catch (TimeoutException late) {
      synchronized (this) {
        hangs = true;
      }
      throw new CredentialsException(
          "the operator's own certificates in "
              + directory
              + " could not be read within "
              + LONGEST_READ.toMillis()
              + " ms: their file system hangs",
          late);
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
      throw new CredentialsException("the operator ends", ended);
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof CredentialsException unusable) {
        throw unusable;
      }
      throw new IllegalStateException(failed.getCause());
    }
  }

  private void read(CompletableFuture<Content> begun) {
    try {
      begun.complete(read());
    } catch (CredentialsException | RuntimeException | Error failed) {
      // Whoever waits is told.
      begun.completeExceptionally(failed);
    }
  }

  private Content read() throws CredentialsException {
    return new Content(read("tls.crt"), read("tls.key"), read("ca.crt"));
  }

  private byte[] read(String name) throws CredentialsException {
    try {
      return Files.readAllBytes(directory.resolve(name));
    } catch (IOException unreadable) {
      throw new CredentialsException(
          "the operator cannot read its own "
              + directory.resolve(name)
              + " ("
              + unreadable.getMessage()
              + ")",
          unreadable);
    }
  }

  private void requireValid(Content now) throws CredentialsException {
    X509Certificate own = certificate(now.certificate());
    Instant instant = clock.instant();
    if (instant.isAfter(own.getNotAfter().toInstant())) {
      throw new CredentialsException(
          "the operator's own certificate in "
              + directory
              + " expired at "
              + own.getNotAfter().toInstant(),
          null);
    }
    if (instant.isBefore(own.getNotBefore().toInstant())) {
      throw new CredentialsException(
          "the operator's own certificate in "
              + directory
              + " is not valid before "
              + own.getNotBefore().toInstant(),
          null);
    }
  }

  private X509Certificate certificate(byte[] pem) throws CredentialsException {
    try {
      return (X509Certificate)
          CertificateFactory.getInstance("X.509")
              .generateCertificate(new ByteArrayInputStream(pem));
    } catch (CertificateException malformed) {
      throw new CredentialsException(
          "the operator's own "
              + directory.resolve("tls.crt")
              + " is no certificate ("
              + malformed.getMessage()
              + ")",
          malformed);
    }
  }

  private SslContext build(Content now) throws CredentialsException {
    try {
      return GrpcSslContexts.forClient()
          .keyManager(
              new ByteArrayInputStream(now.certificate()), new ByteArrayInputStream(now.key()))
          .trustManager(new ByteArrayInputStream(now.authority()))
          .protocols("TLSv1.3")
          .build();
    } catch (SSLException | IllegalArgumentException unusable) {
      throw new CredentialsException(
          "the operator's own certificates in "
              + directory
              + " cannot be used ("
              + unusable.getMessage()
              + ")",
          unusable);
    }
  }

  private record Content(byte[] certificate, byte[] key, byte[] authority) {
    @Override
    public boolean equals(Object other) {
      return other instanceof Content that
          && Arrays.equals(certificate, that.certificate)
          && Arrays.equals(key, that.key)
          && Arrays.equals(authority, that.authority);
    }

    @Override
    public int hashCode() {
      return 31 * (31 * Arrays.hashCode(certificate) + Arrays.hashCode(key))
          + Arrays.hashCode(authority);
    }

    /** Says nothing: a key must not get into a log by accident. */
    @Override
    public String toString() {
      return "certificates";
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
