package dev.vfio.migration.operator.fake;

import dev.vfio.migration.connections.certificates.LongNames;
import dev.vfio.migration.operator.agents.AgentAddress;
import io.grpc.Server;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.UUID;
import java.util.concurrent.TimeUnit;

/**
 * Serves a {@link FakeAgent} on loopback by gRPC over mutual TLS 1.3. Keeps its port over a
 * restart.
 */
public final class AgentServer implements AutoCloseable {
  private static final Duration PORT_TIMEOUT = Duration.ofSeconds(40);

  static {
    // As an agent begins.
    LongNames.allow();
  }

  private final FakeAgent agent;
  private Path certificates;
  private Server server;
  private int port;

  public AgentServer(FakeAgent agent, Path certificates) {
    this.agent = agent;
    this.certificates = certificates;
  }

  public AgentServer start() {
    agent.restarted(UUID.randomUUID().toString());
    long deadline = System.nanoTime() + PORT_TIMEOUT.toNanos();
    while (server == null) {
      try {
        server = serve();
      } catch (BindException taken) {
        // While it was stopped, somebody's connection got the port; connections come and go.
        if (System.nanoTime() - deadline > 0) {
          throw new UncheckedIOException(taken);
        }
        Thread.onSpinWait();
      } catch (IOException failed) {
        throw new UncheckedIOException(failed);
      }
    }
    port = server.getPort();
    return this;
  }

  private Server serve() throws IOException {
    return NettyServerBuilder.forAddress(new InetSocketAddress("127.0.0.1", port))
        .sslContext(
            GrpcSslContexts.configure(
                    SslContextBuilder.forServer(
                        certificates.resolve("tls.crt").toFile(),
                        certificates.resolve("tls.key").toFile()))
                .trustManager(certificates.resolve("ca.crt").toFile())
                .clientAuth(ClientAuth.REQUIRE)
                .protocols("TLSv1.3")
                .build())
        .addService(agent)
        .build()
        .start();
  }

  /** As kill -9: every connection breaks. */
  public void stop() {
    if (server != null) {
      server.shutdownNow();
      try {
        if (!server.awaitTermination(40, TimeUnit.SECONDS)) {
          throw new IllegalStateException("the fake agent's server does not end");
        }
      } catch (InterruptedException interrupted) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(interrupted);
      }
      server = null;
    }
  }

  /** Serves with other certificates from the next start on. */
  public void certificates(Path directory) {
    certificates = directory;
  }

  public AgentAddress address() {
    return new AgentAddress("127.0.0.1", port);
  }

  @Override
  public void close() {
    stop();
  }
}
