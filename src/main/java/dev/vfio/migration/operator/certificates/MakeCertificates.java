package dev.vfio.migration.operator.certificates;

import dev.vfio.migration.operator.certificates.CertificateSecrets.UnusableSecretException;
import io.fabric8.kubernetes.client.KubernetesClient;
import io.fabric8.kubernetes.client.KubernetesClientBuilder;
import io.fabric8.kubernetes.client.KubernetesClientException;
import java.io.PrintStream;
import java.security.GeneralSecurityException;
import java.time.Instant;
import java.util.Map;

/** The job: reads its request from the environment, says what it did, and ends. */
public final class MakeCertificates {
  private MakeCertificates() {}

  /**
   * @return the status that the process is to end with: 0, or 1 where {@code output} says what went
   *     wrong
   */
  public static int run(Map<String, String> environment, PrintStream output) {
    try (KubernetesClient client = new KubernetesClientBuilder().build()) {
      Request request = Request.from(environment);
      new CertificateSecrets(client, request, Instant.now(), output::println).ensure();
      return 0;
    } catch (UnusableSecretException | IllegalArgumentException refused) {
      output.println("ERROR " + refused.getMessage());
    } catch (GeneralSecurityException failed) {
      output.println("ERROR The certificates cannot be made: " + failed.getMessage());
    } catch (KubernetesClientException failed) {
      output.println("ERROR The API server did not do it: " + failed.getMessage());
    }
    return 1;
  }
}
