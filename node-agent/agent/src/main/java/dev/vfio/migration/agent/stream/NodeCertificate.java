package dev.vfio.migration.agent.stream;

import dev.vfio.migration.agent.stream.StreamException.Kind;
import dev.vfio.migration.vfio.text.ForeignText;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Which node a certificate speaks for: the DNS names {@code <node>.node.migration.vfio.dev} among
 * its subject alternative names, or the wildcard {@code *.node.migration.vfio.dev}, which stands
 * for every node, also one whose name has dots.
 */
final class NodeCertificate {
  static final String NODE_DOMAIN = ".node.migration.vfio.dev";

  private static final int DNS_NAME = 2;

  private NodeCertificate() {}

  /**
   * @throws StreamException UNAUTHENTICATED where the certificate does not speak for that node
   */
  static void requireNode(X509Certificate certificate, String node) throws StreamException {
    for (String name : dnsNames(certificate)) {
      if (name.equalsIgnoreCase(node + NODE_DOMAIN) || name.equalsIgnoreCase("*" + NODE_DOMAIN)) {
        return;
      }
    }
    throw new StreamException(
        Kind.UNAUTHENTICATED,
        "the certificate is not that of node "
            + node
            + ": "
            + node
            + NODE_DOMAIN
            + " is not among its names ("
            + describe(certificate)
            + ")");
  }

  /** Names and validity, for people. */
  static String describe(X509Certificate certificate) {
    return "names "
        + ForeignText.quote(dnsNames(certificate).toString())
        + ", valid from "
        + certificate.getNotBefore().toInstant()
        + " to "
        + certificate.getNotAfter().toInstant()
        + ", issued by "
        + certificate.getIssuerX500Principal().getName();
  }

  private static List<String> dnsNames(X509Certificate certificate) {
    List<String> names = new ArrayList<>();
    try {
      Collection<List<?>> alternatives = certificate.getSubjectAlternativeNames();
      if (alternatives != null) {
        for (List<?> alternative : alternatives) {
          if (Integer.valueOf(DNS_NAME).equals(alternative.get(0))) {
            names.add(String.valueOf(alternative.get(1)));
          }
        }
      }
    } catch (CertificateParsingException malformed) {
      // A certificate whose names cannot be read speaks for nobody; the message says so.
      names.add("unreadable: " + malformed.getMessage());
    }
    return names;
  }
}
