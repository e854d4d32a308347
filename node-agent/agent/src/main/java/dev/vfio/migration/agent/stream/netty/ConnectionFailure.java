package dev.vfio.migration.agent.stream.netty;

import dev.vfio.migration.agent.stream.StreamException;
import dev.vfio.migration.agent.stream.StreamException.Kind;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.security.cert.CertificateException;
import java.util.Locale;
import javax.net.ssl.SSLException;

/** What a failure of the network or of TLS means. */
final class ConnectionFailure {
  private ConnectionFailure() {}

  /**
   * @param who the connection, for people, as the message's beginning: "stream 0 to node-b: "
   * @param own this end's certificate, for people
   * @param established whether both ends have greeted each other on this connection
   */
  static StreamException of(Throwable cause, String who, String own, boolean established) {
    for (Throwable each = cause; each != null; each = each.getCause()) {
      if (each instanceof StreamException known) {
        return new StreamException(known.kind(), who + known.getMessage(), known);
      }
      if (each instanceof CertificateException refused) {
        return new StreamException(Kind.UNAUTHENTICATED, who + refused.getMessage(), cause);
      }
    }
    SSLException tls = find(cause);
    if (tls != null && !established && lostBelow(tls)) {
      return new StreamException(
          Kind.BROKEN, who + "the connection was lost before TLS was agreed: " + tls, cause);
    }
    if (tls != null) {
      return established ? brokenTls(tls, who) : noTls(tls, who, own);
    }
    if (cause instanceof ClosedChannelException && !established) {
      return new StreamException(
          Kind.BROKEN, who + "the other end closed the connection before TLS was agreed", cause);
    }
    return new StreamException(Kind.BROKEN, who + "the connection failed: " + cause, cause);
  }

  private static StreamException noTls(SSLException tls, String who, String own) {
    String text = String.valueOf(tls.getMessage());
    String lower = text.toLowerCase(Locale.ROOT);
    String what;
    if (lower.contains("did_not_return_a_certificate") || lower.contains("empty client cert")) {
      what = "the other end has no certificate that an authority in ca.crt signed";
    } else if (lower.contains("alert")
        && (lower.contains("certificate")
            || lower.contains("unknown_ca")
            || lower.contains("unknown ca")
            || lower.contains("access_denied"))) {
      what = "the other end does not accept this end's certificate";
    } else {
      what = "TLS 1.3 with certificates on both ends could not be agreed";
    }
    return new StreamException(
        Kind.UNAUTHENTICATED, who + what + " (" + text + "); this end presents " + own, tls);
  }

  private static StreamException brokenTls(SSLException tls, String who) {
    String text = String.valueOf(tls.getMessage());
    String lower = text.toLowerCase(Locale.ROOT);
    boolean altered = lower.contains("decrypt") || lower.contains("mac") || lower.contains("tag");
    return new StreamException(
        altered ? Kind.CORRUPT : Kind.BROKEN, who + "TLS failed: " + text, tls);
  }

  /** Whether TLS failed only because the connection beneath it was gone: no verdict on anybody. */
  private static boolean lostBelow(SSLException tls) {
    for (Throwable each = tls.getCause(); each != null; each = each.getCause()) {
      if (each instanceof IOException && !(each instanceof SSLException)) {
        return true;
      }
    }
    return false;
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
