package dev.vfio.migration.connections.certificates;

import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * Which node a certificate speaks for: its DNS names {@code NODE.node.migration.vfio.dev}, or the
 * wildcard {@code *.node.migration.vfio.dev}, which stands for every node.
 *
 * <p>These names are never looked up in DNS, and the names of nodes are longer and have longer
 * parts than DNS allows, so they are compared as they are and not by DNS's rules for host names.
 */
public final class NodeNames {
  /** What follows a node's name. */
  public static final String DOMAIN = ".node.migration.vfio.dev";

  private static final Integer DNS_NAME = 2;

  private NodeNames() {}

  /** The name that the certificate of that node's agent carries. */
  public static String of(String node) {
    return node + DOMAIN;
  }

  /**
   * Whether a certificate, which TLS has verified, is that of the node's agent.
   *
   * @throws CertificateParsingException where its names cannot be read
   */
  public static boolean speaksFor(X509Certificate certificate, String node)
      throws CertificateParsingException {
    return dnsNames(certificate).stream()
        .anyMatch(name -> name.equalsIgnoreCase(of(node)) || name.equalsIgnoreCase("*" + DOMAIN));
  }

  /** The DNS names among a certificate's subject alternative names. */
  public static List<String> dnsNames(X509Certificate certificate)
      throws CertificateParsingException {
    List<String> names = new ArrayList<>();
    Collection<List<?>> alternatives = certificate.getSubjectAlternativeNames();
    if (alternatives != null) {
      for (List<?> alternative : alternatives) {
        if (DNS_NAME.equals(alternative.get(0))) {
          names.add(String.valueOf(alternative.get(1)));
        }
      }
    }
    return names;
  }
}
