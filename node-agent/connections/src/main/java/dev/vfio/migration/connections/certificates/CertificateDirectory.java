package dev.vfio.migration.connections.certificates;

import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * A directory of certificates that is read again and again, also by threads that others share: a
 * file system that hangs is waited for once, by one caller, and not for long. Thread-safe.
 */
public final class CertificateDirectory {
  private static final Duration READ_TIMEOUT = Duration.ofSeconds(3);

  private final Path directory;

  /** Reads the files, and nothing else; ends where it has nothing to do. */
  private final ThreadPoolExecutor reader =
      new ThreadPoolExecutor(
          0, 1, 10, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), CertificateDirectory::daemon);

  // Both guarded by this.
  private CompletableFuture<CertificateFiles> reading;

  /** Whether the read that is under way was waited for in vain. */
  private boolean hangs;

  /** Does no I/O. */
  public CertificateDirectory(Path directory) {
    this.directory = directory;
  }

  public Path path() {
    return directory;
  }

  /**
   * The files as they are now, within three seconds; at once while an earlier read hangs.
   *
   * @throws UnusableCertificatesException where one is missing or cannot be read, or their file
   *     system hangs
   */
  public synchronized CertificateFiles read() throws UnusableCertificatesException {
    if (!hangs || reading.isDone()) {
      CompletableFuture<CertificateFiles> begun = new CompletableFuture<>();
      reader.execute(() -> read(begun));
      reading = begun;
      hangs = false;
    }
    try {
      return reading.get(hangs ? 0 : READ_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    } catch (TimeoutException late) {
      hangs = true;
      throw new UnusableCertificatesException(
          directory
              + " could not be read within "
              + READ_TIMEOUT.toMillis()
              + " ms: its file system hangs",
          late);
    } catch (InterruptedException ended) {
      Thread.currentThread().interrupt();
      throw new UnusableCertificatesException(
          directory + " was not read: this process ends", ended);
    } catch (ExecutionException failed) {
      if (failed.getCause() instanceof UnusableCertificatesException unusable) {
        throw unusable;
      }
      throw new IllegalStateException(failed.getCause());
    }
  }

  private void read(CompletableFuture<CertificateFiles> begun) {
    try {
      begun.complete(CertificateFiles.read(directory));
    } catch (UnusableCertificatesException | RuntimeException | Error failed) {
      // Whoever waits is told.
      begun.completeExceptionally(failed);
    }
  }

  private static Thread daemon(Runnable task) {
    Thread thread = new Thread(task, "certificate-reader");
    thread.setDaemon(true);
    return thread;
  }
}
