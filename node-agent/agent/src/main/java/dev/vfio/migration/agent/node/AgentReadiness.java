package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import org.eclipse.microprofile.health.HealthCheck;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/**
 * Whether this agent can take a migration on: it can journal, its certificate is valid now, the
 * state stream's port is bound, and workloads can be handed devices.
 */
@Readiness
@Singleton
public final class AgentReadiness implements HealthCheck {
  private final AgentConfig config;
  private final AgentNode node;

  AgentReadiness(AgentConfig config, AgentNode node) {
    this.config = config;
    this.node = node;
  }

  @Override
  public HealthCheckResponse call() {
    String journal = journalProblem();
    String certificate = certificateProblem();
    int port = node.streams().port();
    String handover = handoverProblem();
    HealthCheckResponseBuilder answer =
        HealthCheckResponse.named("agent")
            .status(journal == null && certificate == null && handover == null && port > 0)
            .withData("statePort", port);
    if (journal != null) {
      answer.withData("journal", journal);
    }
    if (certificate != null) {
      answer.withData("certificate", certificate);
    }
    if (handover != null) {
      answer.withData("handover", handover);
    }
    return answer.build();
  }

  private String handoverProblem() {
    return node.handsOver()
        ? null
        : "the desk at "
            + config.handoverDirectory()
            + " has ended: no workload can wait for a device or be handed one. See the agent's log,"
            + " and restart the agent.";
  }

  private String journalProblem() {
    try {
      node.journals().probe();
      return null;
    } catch (IOException problem) {
      return config.journalDirectory() + " cannot be written: " + problem.getMessage();
    }
  }

  private String certificateProblem() {
    Path file = config.tlsDirectory().resolve("tls.crt");
    try (InputStream pem = Files.newInputStream(file)) {
      X509Certificate certificate =
          (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(pem);
      certificate.checkValidity();
      return null;
    } catch (IOException | GeneralSecurityException problem) {
      return file + " is not valid: " + problem.getMessage();
    }
  }
}
