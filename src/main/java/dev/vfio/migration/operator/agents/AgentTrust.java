package dev.vfio.migration.operator.agents;

import dev.vfio.migration.connections.certificates.NodeNames;
import dev.vfio.migration.text.ForeignText;
import java.net.Socket;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Trusts an agent whose certificate the authority signed and whose names include the node that the
 * connection is for. Java's own check of the name is not used: it refuses the names of nodes that
 * DNS would not allow, and has a wildcard stand for names without dots alone.
 */
final class AgentTrust extends X509ExtendedTrustManager {
  private final X509ExtendedTrustManager authority;

  /**
   * @param authority checks who signed a certificate, and whether it is valid
   */
  AgentTrust(X509ExtendedTrustManager authority) {
    this.authority = authority;
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    authority.checkServerTrusted(chain, authType);
    String expected = engine.getPeerHost();
    String node =
        expected != null && expected.endsWith(NodeNames.DOMAIN)
            ? expected.substring(0, expected.length() - NodeNames.DOMAIN.length())
            : null;
    if (node == null) {
      throw new CertificateException(expected + " is not the name of a node's agent");
    }
    if (!NodeNames.speaksFor(chain[0], node)) {
      throw new CertificateException(
          "it is not that of node %s: %s is not among its names %s"
              .formatted(
                  node, expected, ForeignText.quote(NodeNames.dnsNames(chain[0]).toString())));
    }
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw new CertificateException("for which node it is to be is not known");
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkServerTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    checkClientTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    checkClientTrusted(chain, authType);
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw new CertificateException("nobody connects to the operator");
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return authority.getAcceptedIssuers();
  }
}
