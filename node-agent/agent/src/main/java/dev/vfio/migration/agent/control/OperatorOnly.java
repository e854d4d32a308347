package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.connections.RefusalLog;
import dev.vfio.migration.connections.certificates.NodeNames;
import dev.vfio.migration.text.ForeignText;
import io.grpc.Grpc;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.quarkus.grpc.GlobalInterceptor;
import jakarta.inject.Singleton;
import java.security.cert.Certificate;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jboss.logging.Logger;

/**
 * Lets only the operator call. TLS has verified that the caller's certificate is from our
 * authority; the other agents have such certificates as well, so the name in it decides.
 */
@GlobalInterceptor
@Singleton
public final class OperatorOnly implements ServerInterceptor {
  private static final Logger LOG = Logger.getLogger(OperatorOnly.class);

  private final RefusalLog refusals = new RefusalLog("control", LOG);
  private final String operatorName;

  OperatorOnly(AgentConfig config) {
    this.operatorName = config.operatorName();
  }

  @Override
  public <Q, A> ServerCall.Listener<Q> interceptCall(
      ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
    Status refused = check(call.getAttributes().get(Grpc.TRANSPORT_ATTR_SSL_SESSION));
    if (refused == null) {
      return next.startCall(call, headers);
    }
    refusals.refused(
        "not the operator",
        () ->
            String.format(
                "refused %s from %s: %s",
                call.getMethodDescriptor().getFullMethodName(),
                call.getAttributes().get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR),
                refused.getDescription()));
    call.close(refused, new Metadata());
    return new ServerCall.Listener<>() {};
  }

  /** Null where the caller is the operator. */
  private Status check(SSLSession session) {
    if (session == null) {
      return Status.UNAUTHENTICATED.withDescription("the control service is served over TLS only");
    }
    try {
      Certificate[] chain = session.getPeerCertificates();
      List<String> names = NodeNames.dnsNames((X509Certificate) chain[0]);
      return isNamed(names, operatorName)
          ? null
          : Status.PERMISSION_DENIED.withDescription(
              "only "
                  + operatorName
                  + " may command this agent, and the caller's certificate carries "
                  + ForeignText.quote(names.toString()));
    } catch (SSLPeerUnverifiedException | CertificateParsingException problem) {
      return Status.UNAUTHENTICATED.withDescription(
          "the caller has shown no certificate that can be read: "
              + ForeignText.quote(String.valueOf(problem.getMessage())));
    }
  }

  /** Whether the certificate, which TLS has verified, carries that name. */
  public static boolean isOperator(X509Certificate certificate, String operatorName) {
    try {
      return isNamed(NodeNames.dnsNames(certificate), operatorName);
    } catch (CertificateParsingException unreadable) {
      // The call itself is refused with the reason.
      return false;
    }
  }

  private static boolean isNamed(List<String> names, String operatorName) {
    return names.stream().anyMatch(operatorName::equalsIgnoreCase);
  }
}
