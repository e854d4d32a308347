package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.configuration.AgentConfig;
import dev.vfio.migration.agent.control.CommandLanes;
import dev.vfio.migration.connections.certificates.CertificateFiles;
import dev.vfio.migration.connections.certificates.UnusableCertificatesException;
import grpc.health.v1.HealthOuterClass.HealthCheckResponse.ServingStatus;
import io.quarkus.grpc.runtime.health.GrpcHealthStorage;
import io.smallrye.health.api.AsyncHealthCheck;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Readiness;

/**
 * Whether this agent can take a migration on: it can journal, its certificate is valid now, the
 * state stream's port is bound, and workloads can be handed devices.
 */
@Readiness
@Singleton
public final class AgentReadiness implements AsyncHealthCheck {
  /** Shorter than a kubelet waits. */
  private static final Duration MAX_PROBE = Duration.ofSeconds(3);

  private final AgentConfig config;
  private final AgentNode node;
  private final GrpcHealthStorage services;

  /** The thread of probes alone: a file system that hangs keeps this thread, and no other. */
  private final ExecutorService thread =
      Executors.newSingleThreadExecutor(
          task -> {
            Thread made = new Thread(task, "readiness-probe");
            made.setDaemon(true);
            return made;
          });

  // Guarded by this.
  private CompletableFuture<HealthCheckResponse> underWay;

  AgentReadiness(AgentConfig config, AgentNode node, GrpcHealthStorage services) {
    this.config = config;
    this.node = node;
    this.services = services;
  }

  /** A caller that asks while a probe is under way gets the result of that one. */
  @Override
  public Uni<HealthCheckResponse> call() {
    return Uni.createFrom()
        .completionStage(
            () ->
                probed()
                    .thenCombine(
                        node.lanes().probe(CommandLanes.Lane.BEGINNING), AgentReadiness::with));
  }

  /** Nor is this agent ready where commands that begin a migration are not carried out. */
  private static HealthCheckResponse with(HealthCheckResponse found, String problem) {
    if (problem.isEmpty()) {
      return found;
    }
    Map<String, Object> data = new LinkedHashMap<>(found.getData().orElse(Map.of()));
    data.put("commands", problem);
    return new HealthCheckResponse(
        found.getName(), HealthCheckResponse.Status.DOWN, Optional.of(data));
  }

  private synchronized CompletableFuture<HealthCheckResponse> probed() {
    if (underWay == null || underWay.isDone()) {
      underWay = CompletableFuture.supplyAsync(this::probe, thread);
    }
    return underWay
        .copy()
        .completeOnTimeout(
            HealthCheckResponse.named("agent")
                .down()
                .withData(
                    "probe",
                    String.format(
                        "the journal directory %s or the certificate in %s could not be looked at"
                            + " within %s s: their file system hangs",
                        config.journalDirectory(), config.tlsDirectory(), MAX_PROBE.toSeconds()))
                .build(),
            MAX_PROBE.toNanos(),
            TimeUnit.NANOSECONDS);
  }

  private HealthCheckResponse probe() {
    String journal = journalProblem();
    String certificate = certificateProblem();
    int port = node.streams().port();
    String handover = handoverProblem();
    String control = controlProblem();
    HealthCheckResponseBuilder answer =
        HealthCheckResponse.named("agent")
            .status(
                journal == null
                    && certificate == null
                    && handover == null
                    && control == null
                    && port > 0)
            .withData("statePort", port);
    if (control != null) {
      answer.withData("control", control);
    }
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

  private String controlProblem() {
    List<String> down =
        services.getStatuses().entrySet().stream()
            .filter(service -> service.getValue() != ServingStatus.SERVING)
            .map(service -> service.getKey() + " is " + service.getValue())
            .toList();
    return down.isEmpty() ? null : "not every gRPC service is served: " + down;
  }

  private String handoverProblem() {
    return node.canHandOver()
        ? null
        : "the workload listener at "
            + config.handoverDirectory()
            + " has ended: no workload can wait for a device or receive one. See the agent's log,"
            + " and restart the agent.";
  }

  private String journalProblem() {
    try {
      node.journals().probe();
      return null;
    } catch (IOException problem) {
      return problem.getMessage();
    }
  }

  private String certificateProblem() {
    try {
      CertificateFiles.read(config.tlsDirectory()).parse().own().checkValidity();
      return null;
    } catch (UnusableCertificatesException unusable) {
      return unusable.getMessage();
    } catch (CertificateException invalid) {
      return config.tlsDirectory().resolve(CertificateFiles.CERTIFICATE)
          + " is not valid now: "
          + invalid.getMessage();
    }
  }
}
