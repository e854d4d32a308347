package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Certificates whose file system hangs. A FIFO that nobody writes stands in for it: to open it
 * blocks.
 */
class HungCertificatesTest {
  @TempDir private Path directory;

  private static void hang(Path file) throws IOException, InterruptedException {
    Files.deleteIfExists(file);
    Process made = new ProcessBuilder("mkfifo", file.toString()).inheritIO().start();
    assertThat(made.waitFor(40, TimeUnit.SECONDS)).isTrue();
    assertThat(made.exitValue()).isZero();
  }

  /** Releases whoever is about to open it; somebody is. */
  private static void release(Path file) throws Exception {
    inTime(() -> Files.write(file, new byte[0]));
  }

  private static <T> T inTime(Callable<T> call) throws Exception {
    return CompletableFuture.supplyAsync(
            () -> {
              try {
                return call.call();
              } catch (Exception failure) {
                throw new CompletionException(failure);
              }
            })
        .get(40, TimeUnit.SECONDS);
  }

  @Test
  void whatWasReadBeforeServesOnAndWhatComesBackIsUsed() throws Exception {
    TestAuthority authority = new TestAuthority("authority");
    String name = "node-a.node.migration.vfio.dev";
    Path tls = authority.issue(directory.resolve("a"), name);
    TlsIdentity identity = new TlsIdentity(tls, SslProvider.JDK);
    SslContext before = identity.server();
    hang(tls.resolve("tls.crt"));
    for (int connection = 0; connection < 100; connection++) {
      assertThat(inTime(identity::server)).isSameAs(before);
    }
    release(tls.resolve("tls.crt"));
    Files.delete(tls.resolve("tls.crt"));
    authority.issue(tls, name);
    await().atMost(Duration.ofSeconds(40)).until(() -> inTime(identity::server) != before);
  }

  @Test
  void anAgentThatNeverReadAnySaysSo() throws Exception {
    Path tls =
        new TestAuthority("authority")
            .issue(directory.resolve("a"), "node-a.node.migration.vfio.dev");
    hang(tls.resolve("tls.key"));
    TlsIdentity identity = new TlsIdentity(tls, SslProvider.JDK);
    assertThatThrownBy(() -> inTime(identity::client))
        .hasStackTraceContaining("could not be read within 3000 ms: its file system hangs");
    release(tls.resolve("tls.key"));
  }
}
