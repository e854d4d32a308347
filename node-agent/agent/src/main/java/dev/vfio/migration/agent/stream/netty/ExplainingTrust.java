package dev.vfio.migration.agent.stream.netty;

import io.netty.handler.ssl.OpenSslCertificateException;
import io.netty.internal.tcnative.CertificateVerifier;
import java.net.Socket;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertPathValidatorException.BasicReason;
import java.security.cert.CertificateException;
import java.security.cert.CertificateExpiredException;
import java.security.cert.X509Certificate;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/**
 * Decides as the trust manager behind it does, but says of which certificate it speaks. Which node
 * a certificate belongs to is decided later, see {@link NodeCertificate}.
 */
final class ExplainingTrust extends X509ExtendedTrustManager {
  private final X509ExtendedTrustManager decider;

  ExplainingTrust(X509ExtendedTrustManager decider) {
    this.decider = decider;
  }

  private interface Check {
    void run() throws CertificateException;
  }

  private static void explained(X509Certificate[] chain, Check check) throws CertificateException {
    try {
      check.run();
    } catch (CertificateException refused) {
      throw new OpenSslCertificateException(
          "the certificate ("
              + NodeCertificate.describe(chain[0])
              + ") is not accepted: "
              + refused.getMessage(),
          refused,
          alertFor(refused));
    }
  }

  /** BoringSSL sends the other end an internal error where no better alert is named. */
  private static int alertFor(Throwable refused) {
    for (Throwable each = refused; each != null; each = each.getCause()) {
      if (each instanceof CertificateExpiredException
          || each instanceof CertPathValidatorException path
              && path.getReason() == BasicReason.EXPIRED) {
        return CertificateVerifier.X509_V_ERR_CERT_HAS_EXPIRED;
      }
    }
    return CertificateVerifier.X509_V_ERR_CERT_UNTRUSTED;
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    explained(chain, () -> decider.checkClientTrusted(chain, authType, engine));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    explained(chain, () -> decider.checkServerTrusted(chain, authType, engine));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    explained(chain, () -> decider.checkClientTrusted(chain, authType, socket));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    explained(chain, () -> decider.checkServerTrusted(chain, authType, socket));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    explained(chain, () -> decider.checkClientTrusted(chain, authType));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    explained(chain, () -> decider.checkServerTrusted(chain, authType));
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return decider.getAcceptedIssuers();
  }
}
