package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.connections.certificates.NodeNames;
import dev.vfio.migration.text.ForeignText;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;

/**
 * Which node a certificate speaks for: the DNS names {@code <node>.node.migration.vfio.dev} among
 * its subject alternative names, or the wildcard {@code *.node.migration.vfio.dev}, which stands
 * for every node, also one whose name has dots.
 */
final class NodeCertificate {
  private NodeCertificate() {}

  /**
   * @throws StreamException UNAUTHENTICATED where the certificate does not speak for that node
   */
  static void requireNode(X509Certificate certificate, String node) throws StreamException {
    try {
      if (NodeNames.speaksFor(certificate, node)) {
        return;
      }
    } catch (CertificateParsingException unreadable) {
      // It speaks for nobody; the message says why.
    }
    throw new StreamException(
        Kind.UNAUTHENTICATED,
        String.format(
            "the certificate is not that of node %s: %s is not among its names (%s)",
            node, NodeNames.of(node), describe(certificate)));
  }

  /** Names and validity, for people. */
  static String describe(X509Certificate certificate) {
    return String.format(
        "names %s, valid from %s to %s, issued by %s",
        ForeignText.quote(dnsNames(certificate)),
        certificate.getNotBefore().toInstant(),
        certificate.getNotAfter().toInstant(),
        certificate.getIssuerX500Principal().getName());
  }

  private static String dnsNames(X509Certificate certificate) {
    try {
      return NodeNames.dnsNames(certificate).toString();
    } catch (CertificateParsingException malformed) {
      return "unreadable: " + malformed.getMessage();
    }
  }
}
