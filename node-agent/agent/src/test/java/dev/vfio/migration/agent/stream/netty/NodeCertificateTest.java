package dev.vfio.migration.agent.stream.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A certificate speaks for the node it names and for no other. */
class NodeCertificateTest {
  @TempDir Path work;

  private final TestAuthority authority = new TestAuthority("authority");

  @Test
  void itsNamesDecideWhichNodeItSpeaksFor() throws Exception {
    X509Certificate own = certificate("other.example", "node-a.node.migration.vfio.dev");
    NodeCertificate.requireNode(own, "node-a");
    NodeCertificate.requireNode(own, "NODE-A");
    assertRefused(own, "node-b");
    assertRefused(own, "node");
    assertRefused(own, "a");
  }

  @Test
  void theWildcardSpeaksForNodesWhoseNamesHaveDots() throws Exception {
    X509Certificate wildcard = certificate("*.node.migration.vfio.dev");
    NodeCertificate.requireNode(wildcard, "node-a");
    NodeCertificate.requireNode(wildcard, "ip-10-0-0-7.ec2.internal");
  }

  @Test
  void noOtherWildcardSpeaksForANode() throws Exception {
    assertRefused(certificate("*.migration.vfio.dev"), "node-a");
    assertRefused(certificate("*.vfio.dev"), "node-a");
    assertRefused(certificate("node-*.node.migration.vfio.dev"), "node-a");
    assertRefused(certificate("node-a.node.migration.vfio.dev.example"), "node-a");
    assertRefused(certificate("*"), "node-a");
  }

  @Test
  void aCertificateWithoutNamesSpeaksForNobody() throws Exception {
    assertRefused(certificate(), "node-a");
    assertThatCode(() -> NodeCertificate.describe(certificate())).doesNotThrowAnyException();
  }

  private X509Certificate certificate(String... names) throws Exception {
    return CertificateFiles.read(authority.issue(work, names)).parse().own();
  }

  private static void assertRefused(X509Certificate certificate, String node) {
    assertThatThrownBy(() -> NodeCertificate.requireNode(certificate, node))
        .isInstanceOfSatisfying(
            StreamException.class, why -> assertThat(why.kind()).isEqualTo(Kind.UNAUTHENTICATED))
        .hasMessageContaining("is not that of node " + node);
  }
}
