package dev.vfio.migration.agent.control;

import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.quarkus.test.common.QuarkusTestResourceLifecycleManager;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Comparator;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.net.ssl.SSLException;

/** Certificates and directories of the node that the tests start. */
public final class NodeForTests implements QuarkusTestResourceLifecycleManager {
  static final String AGENT_NAME = "node-a.node.migration.vfio.dev";
  static final String OPERATOR_NAME = "operator.migration.vfio.dev";

  private Path directory;

  @Override
  public Map<String, String> start() {
    try {
      directory = Files.createTempDirectory("node");
      TestCertificates authority = new TestCertificates("authority");
      Duration hour = Duration.ofHours(1);
      authority.issue(directory.resolve("agent"), hour, AGENT_NAME);
      authority.issue(directory.resolve("operator"), hour, OPERATOR_NAME);
      authority.issue(directory.resolve("other-agent"), hour, "node-b.node.migration.vfio.dev");
      authority.issue(directory.resolve("expired"), Duration.ofHours(-1), OPERATOR_NAME);
      authority.issue(
          directory.resolve("forger"),
          hour,
          "forger",
          "evil\n2026-01-01 00:00:00,000 INFO  all is well\r\u001b[2K");
      authority.issue(
          directory.resolve("crowd"),
          hour,
          IntStream.range(0, 400).mapToObj(i -> i + ".example%\n").toArray(String[]::new));
      new TestCertificates("stranger").issue(directory.resolve("stranger"), hour, OPERATOR_NAME);
      authority.issue(directory.resolve("renewed"), hour, AGENT_NAME);
      return Map.ofEntries(
          Map.entry("agent.node-name", "node-a"),
          Map.entry("agent.listen-address", "127.0.0.1"),
          Map.entry("agent.state-port", "0"),
          // Whatever devices the machine has that the tests run on are none of theirs.
          Map.entry("agent.kernel-devices", "false"),
          Map.entry("agent.certificate-reload-period", "1s"),
          Map.entry("agent.tls-directory", directory.resolve("agent").toString()),
          Map.entry("agent.journal-directory", directory.resolve("journal").toString()),
          Map.entry("agent.vfio-user-directory", directory.resolve("sockets").toString()),
          Map.entry("test.certificates", directory.toString()),
          Map.entry("quarkus.http.test-ssl-port", "0"),
          Map.entry("quarkus.management.test-port", "0"));
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }

  /** To the control service of the node, as who has that certificate. */
  static NettyChannelBuilder channel(URL control, Path certificates, String identity)
      throws SSLException {
    Path own = certificates.resolve(identity);
    return NettyChannelBuilder.forAddress("127.0.0.1", control.getPort())
        .overrideAuthority(AGENT_NAME)
        .sslContext(
            GrpcSslContexts.forClient()
                .trustManager(certificates.resolve("agent/ca.crt").toFile())
                .keyManager(own.resolve("tls.crt").toFile(), own.resolve("tls.key").toFile())
                .build());
  }

  @Override
  public void stop() {
    try (Stream<Path> files = Files.walk(directory)) {
      files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
    } catch (IOException problem) {
      throw new UncheckedIOException(problem);
    }
  }
}
