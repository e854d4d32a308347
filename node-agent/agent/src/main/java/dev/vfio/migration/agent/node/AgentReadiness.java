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
 * Whether this agent can take a migration on: it can journal, its certificate is valid now, and the
 * state stream's port is bound.
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
    HealthCheckResponseBuilder answer =
        HealthCheckResponse.named("agent")
            .status(journal == null && certificate == null && port > 0)
            .withData("statePort", port);
    if (journal != null) {
      answer.withData("journal", journal);
    }
    if (certificate != null) {
      answer.withData("certificate", certificate);
    }
    return answer.build();
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
