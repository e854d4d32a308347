package dev.vfio.migration.operator;

import dev.vfio.migration.operator.agents.TlsFiles.CredentialsException;
import dev.vfio.migration.text.ForeignText;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.InterruptedIOException;
import java.net.HttpURLConnection;
import java.net.SocketException;
import java.net.UnknownHostException;
import javax.net.ssl.SSLException;

/** Says in a sentence why the operator did not start, where the cause lies deep. */
final class StartFailure {
  private StartFailure() {}

  /**
   * @param failure as Quarkus has it, with its causes
   */
  static String explain(Throwable failure) {
    Throwable cause = failure;
    for (Throwable each = failure; each != null; each = each.getCause()) {
      cause = each;
      if (each instanceof CredentialsException || each instanceof IllegalArgumentException) {
        break;
      }
      if (each instanceof KubernetesClientException refused && refused.getCode() > 0) {
        return "The operator did not start: the API server answered %s (%s). %s"
            .formatted(
                refused.getCode(),
                ForeignText.quote(String.valueOf(refused.getMessage())),
                remedy(refused.getCode()));
      }
    }
    String said = ForeignText.message(String.valueOf(cause.getMessage()));
    return cause instanceof SocketException
            || cause instanceof UnknownHostException
            || cause instanceof InterruptedIOException
            || cause instanceof SSLException
        ? "The operator did not start: the API server cannot be reached ("
            + said
            + "). Check that it is up and that no network policy keeps this pod from it."
        : "The operator did not start: " + said;
  }

  private static String remedy(int code) {
    return switch (code) {
      case HttpURLConnection.HTTP_UNAUTHORIZED ->
          "Check that the service account's token exists and is valid.";
      case HttpURLConnection.HTTP_FORBIDDEN ->
          "Give the operator's service account the roles that the chart makes"
              + " (operator-rbac.yaml).";
      case HttpURLConnection.HTTP_NOT_FOUND ->
          "Install the CRDs: kubectl apply --server-side --filename helm/vfio-migration/crds/";
      default -> "See the API server's log.";
    };
  }
}
