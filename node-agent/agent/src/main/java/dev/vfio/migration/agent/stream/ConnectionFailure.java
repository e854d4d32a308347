package dev.vfio.migration.agent.stream;

import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.security.cert.CertificateException;
import java.util.Locale;
import javax.net.ssl.SSLException;

/** Tells what a failure of the network or of TLS means. */
final class ConnectionFailure {
  private ConnectionFailure() {}

  /**
   * @param who the connection, for people: "stream 0 to node-b (10.0.0.2:9444)"
   * @param own this end's certificate, for people
   * @param established whether both ends have greeted each other on this connection
   */
  static StreamException of(Throwable cause, String who, String own, boolean established) {
    for (Throwable each = cause; each != null; each = each.getCause()) {
      if (each instanceof StreamException known) {
        return known;
      }
      if (each instanceof CertificateException refused) {
        return new StreamException(Kind.UNAUTHENTICATED, who + ": " + refused.getMessage(), cause);
      }
    }
    SSLException tls = find(cause);
    if (tls == null) {
      return new StreamException(Kind.BROKEN, who + ": the connection failed: " + cause, cause);
    }
    String text = String.valueOf(tls.getMessage());
    String lower = text.toLowerCase(Locale.ROOT);
    if (!established) {
      boolean ownRefused =
          lower.contains("alert")
              && (lower.contains("certificate")
                  || lower.contains("unknown_ca")
                  || lower.contains("unknown ca")
                  || lower.contains("access_denied"));
      String what =
          ownRefused
              ? ": the other end does not accept this end's certificate ("
                  + text
                  + "); this end presents "
                  + own
              : ": TLS 1.3 with certificates on both ends could not be agreed ("
                  + text
                  + "); this end presents "
                  + own;
      return new StreamException(Kind.UNAUTHENTICATED, who + what, cause);
    }
    boolean altered = lower.contains("decrypt") || lower.contains("mac") || lower.contains("tag");
    return new StreamException(
        altered ? Kind.CORRUPT : Kind.BROKEN, who + ": TLS failed: " + text, cause);
  }

  private static SSLException find(Throwable cause) {
    for (Throwable each = cause; each != null; each = each.getCause()) {
      if (each instanceof SSLException tls) {
        return tls;
      }
    }
    return null;
  }
}
