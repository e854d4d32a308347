package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StateSender;
import dev.vfio.migration.agent.stream.StateStreams.Awaited;
import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.agent.stream.StreamSettings;
import io.netty.handler.ssl.SslProvider;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.time.Instant;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Only the two nodes of a migration may speak, and both ends report why another may not. */
@Timeout(120)
class AuthenticationTest {
  @TempDir Path work;

  private final RecordingSink sink = new RecordingSink();

  @Test
  void aSourceWithAnExpiredCertificateIsRefused() throws Exception {
    refusedBothWays(
        nodes ->
            nodes.authority.issue(
                nodes.sourceTls, longAgo(20), longAgo(10), "node-a.node.migration.vfio.dev"),
        "does not accept this end's certificate",
        "valid from",
        "CertificateExpired|validity check failed|NotAfter");
  }

  @Test
  void aSourceOfAnotherAuthorityIsRefused() throws Exception {
    TestAuthority other = new TestAuthority("somebody else");
    refusedBothWays(
        nodes -> {
          other.issue(nodes.sourceTls, "node-a.node.migration.vfio.dev");
          write(nodes.sourceTls.resolve("ca.crt"), nodes.authority.certificatePem());
        },
        "does not accept this end's certificate",
        "issued by CN=somebody else",
        "the other end has no certificate that an authority in ca.crt signed");
  }

  @Test
  void aSourceOfAnAuthorityThatOnlyBearsTheNameIsRefused() throws Exception {
    TestAuthority other = new TestAuthority("migration test authority");
    refusedBothWays(
        nodes -> {
          other.issue(nodes.sourceTls, "node-a.node.migration.vfio.dev");
          write(nodes.sourceTls.resolve("ca.crt"), nodes.authority.certificatePem());
        },
        "does not accept this end's certificate",
        "names [node-a.node.migration.vfio.dev]",
        "the certificate .*node-a.node.migration.vfio.dev.* is not accepted");
  }

  @Test
  void aSourceWithTheCertificateOfAnotherNodeIsRefused() throws Exception {
    refusedBothWays(
        nodes -> nodes.authority.issue(nodes.sourceTls, "node-c.node.migration.vfio.dev"),
        "the certificate is not that of node node-a",
        "names [node-c.node.migration.vfio.dev]",
        "the certificate is not that of node node-a");
  }

  @Test
  void theOperatorsCertificateOpensNoStateStream() throws Exception {
    refusedBothWays(
        nodes -> nodes.authority.issue(nodes.sourceTls, "operator.migration.vfio.dev"),
        "the certificate is not that of node node-a",
        "operator.migration.vfio.dev",
        "the certificate is not that of node node-a");
  }

  @Test
  void aDestinationWithAnExpiredCertificateIsNotTrusted() throws Exception {
    refusedBothWays(
        nodes ->
            nodes.authority.issue(
                nodes.destinationTls, longAgo(20), longAgo(10), "node-b.node.migration.vfio.dev"),
        "is not accepted",
        "node-b.node.migration.vfio.dev",
        "does not accept this end's certificate");
  }

  @Test
  void aDestinationWithTheCertificateOfAnotherNodeNeverSeesTheToken() throws Exception {
    refusedBothWays(
        nodes -> nodes.authority.issue(nodes.destinationTls, "node-c.node.migration.vfio.dev"),
        "the certificate is not that of node node-b",
        "names [node-c.node.migration.vfio.dev]",
        "the source refused: .*the certificate is not that of node node-b");
    try (TwoNodes nodes = new TwoNodes(work.resolve("again"));
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.connect(awaited, 1)) {
      assertThat(sender.sentBytes()).isZero();
    }
  }

  @Test
  void aPeerWithoutTls13AndACertificateGetsNowhere() throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        Socket plain = new Socket("127.0.0.1", nodes.destination.port())) {
      plain.getOutputStream().write("GET / HTTP/1.1\r\n\r\n".getBytes());
      plain.setSoTimeout((int) TwoNodes.TIMEOUT.toMillis());
      plain.getInputStream().readAllBytes();
      log.awaitMatch("refused a state stream from /127.0.0.1.*TLS 1.3 with certificates.*");
      assertThat(sink.starts).hasValue(0);
    }
  }

  @Test
  void theWildcardOfTheChartSpeaksForEveryNode() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work)) {
      nodes.authority.issue(nodes.sourceTls, "*.node.migration.vfio.dev");
      nodes.authority.issue(nodes.destinationTls, "*.node.migration.vfio.dev");
      moves(nodes);
    }
  }

  @ParameterizedTest
  @CsvSource({"JDK,JDK,false", "JDK,OPENSSL,true", "OPENSSL,JDK,true", "OPENSSL,OPENSSL,false"})
  void everyProviderSpeaksWithEveryOther(
      SslProvider atSource, SslProvider atDestination, boolean nativeSockets) throws Exception {
    TestAuthority authority = new TestAuthority("migration test authority");
    StreamSettings settings = TwoNodes.quick();
    Path sourceTls = authority.issue(work.resolve("a"), "node-a.node.migration.vfio.dev");
    Path destinationTls = authority.issue(work.resolve("b"), "node-b.node.migration.vfio.dev");
    try (NettyStateStreams source =
            new NettyStateStreams(
                TwoNodes.anyPort(),
                settings,
                System::nanoTime,
                new TlsIdentity(sourceTls, atSource),
                new Transport(settings, nativeSockets));
        NettyStateStreams destination =
            new NettyStateStreams(
                TwoNodes.anyPort(),
                settings,
                System::nanoTime,
                new TlsIdentity(destinationTls, atDestination),
                new Transport(settings, nativeSockets))) {
      TwoNodes nodes = new TwoNodes(authority, sourceTls, destinationTls, source, destination);
      moves(nodes);
      authority.issue(sourceTls, longAgo(20), longAgo(10), "node-a.node.migration.vfio.dev");
      try (Awaited awaited = nodes.await(1, sink)) {
        assertThatThrownBy(() -> nodes.connect(awaited, 1))
            .isInstanceOfSatisfying(
                StreamException.class,
                why -> assertThat(why.kind()).isEqualTo(Kind.UNAUTHENTICATED))
            .hasMessageContaining("does not accept this end's certificate");
      }
    }
  }

  @Test
  void certificatesThatWereReplacedCountFromTheNextConnectionOn() throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work)) {
      moves(nodes);
      TestAuthority next = new TestAuthority("next year's authority");
      next.issue(nodes.sourceTls, "node-a.node.migration.vfio.dev");
      try (Awaited awaited = nodes.await(1, sink)) {
        assertThatThrownBy(() -> nodes.connect(awaited, 1)).isInstanceOf(StreamException.class);
      }
      next.issue(nodes.destinationTls, "node-b.node.migration.vfio.dev");
      moves(nodes);
      log.awaitMatch("state stream: uses .*issued by CN=next year's authority.*");
    }
  }

  @Test
  void aConnectionOutlivesTheReplacementOfItsCertificate() throws Exception {
    try (TwoNodes nodes = new TwoNodes(work);
        Awaited awaited = nodes.await(1, sink);
        StateSender sender = nodes.connect(awaited, 1)) {
      TwoNodes.sendState(sender, new byte[100]);
      new TestAuthority("other").issue(nodes.sourceTls, "node-a.node.migration.vfio.dev");
      new TestAuthority("other").issue(nodes.destinationTls, "node-b.node.migration.vfio.dev");
      TwoNodes.sendState(sender, new byte[100]);
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
      assertThat(sink.deviceStateBytes()).hasSize(200);
    }
  }

  @Test
  void filesThatDoNotFitTogetherYetAreNotUsed() throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work)) {
      moves(nodes);
      Path halfDone = nodes.authority.issue(work.resolve("new"), "node-a.node.migration.vfio.dev");
      Files.copy(
          halfDone.resolve("tls.crt"),
          nodes.sourceTls.resolve("tls.crt"),
          StandardCopyOption.REPLACE_EXISTING);
      moves(nodes);
      log.awaitMatch(".*cannot be used as they are now .*the key in .* is not that of tls.crt.*");
      Files.copy(
          halfDone.resolve("tls.key"),
          nodes.sourceTls.resolve("tls.key"),
          StandardCopyOption.REPLACE_EXISTING);
      moves(nodes);
    }
  }

  @Test
  void anAgentWithoutACertificateDoesNotStart() {
    assertThatThrownBy(
            () -> new NettyStateStreams(TwoNodes.anyPort(), work, StreamSettings.defaults()))
        .isInstanceOf(StreamException.class)
        .hasMessageContaining("no usable certificate in " + work)
        .hasMessageContaining("tls.crt, tls.key and ca.crt");
  }

  private void refusedBothWays(
      Consumer<TwoNodes> change, String atSource, String alsoAtSource, String atDestination)
      throws Exception {
    try (Log log = new Log();
        TwoNodes nodes = new TwoNodes(work)) {
      change.accept(nodes);
      try (Awaited awaited = nodes.await(1, sink)) {
        assertThatThrownBy(() -> nodes.connect(awaited, 1))
            .isInstanceOfSatisfying(
                StreamException.class,
                why -> assertThat(why.kind()).isEqualTo(Kind.UNAUTHENTICATED))
            .hasMessageContaining("stream 0 of migration " + TwoNodes.MIGRATION)
            .hasMessageContaining("node-b (127.0.0.1:")
            .hasMessageContaining(atSource)
            .hasMessageContaining(alsoAtSource);
        log.awaitMatch("refused a state stream from /127\\.0\\.0\\.1.*(" + atDestination + ").*");
        assertThat(sink.starts).as("the migration is not harmed").hasValue(0);
        assertThat(sink.breaks).hasValue(0);
      }
    }
  }

  private void moves(TwoNodes nodes) throws IOException, InterruptedException {
    RecordingSink received = new RecordingSink();
    try (Awaited awaited = nodes.await(1, received);
        StateSender sender = nodes.connect(awaited, 1)) {
      TwoNodes.sendState(sender, new byte[] {1, 2, 3});
      sender.end();
      sender.awaitLoaded(TwoNodes.TIMEOUT);
    }
    assertThat(received.deviceStateBytes()).containsExactly(1, 2, 3);
  }

  private static Instant longAgo(int days) {
    return Instant.now().minus(Duration.ofDays(days));
  }

  private static void write(Path file, String text) {
    try {
      Files.writeString(file, text);
    } catch (IOException trouble) {
      throw new UncheckedIOException(trouble);
    }
  }
}
