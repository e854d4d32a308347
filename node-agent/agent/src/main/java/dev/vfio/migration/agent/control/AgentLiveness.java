package dev.vfio.migration.agent.control;

import io.smallrye.health.api.AsyncHealthCheck;
import io.smallrye.mutiny.Uni;
import jakarta.inject.Singleton;
import org.eclipse.microprofile.health.HealthCheckResponse;
import org.eclipse.microprofile.health.HealthCheckResponseBuilder;
import org.eclipse.microprofile.health.Liveness;

/**
 * Whether commands are carried out. An agent that does not take Commit or RollBack any more keeps
 * workloads standing still; started anew, it goes on from its journals.
 */
@Liveness
@Singleton
public final class AgentLiveness implements AsyncHealthCheck {
  private final CommandLanes lanes;

  AgentLiveness(CommandLanes lanes) {
    this.lanes = lanes;
  }

  /** Does not wait, and needs no thread that commands do not have to themselves. */
  @Override
  public Uni<HealthCheckResponse> call() {
    return Uni.createFrom()
        .completionStage(
            () ->
                lanes
                    .probe(CommandLanes.Lane.DECIDING)
                    .exceptionally(String::valueOf)
                    .thenApply(AgentLiveness::answer));
  }

  private static HealthCheckResponse answer(String problem) {
    HealthCheckResponseBuilder answer =
        HealthCheckResponse.named("commands").status(problem.isEmpty());
    return (problem.isEmpty() ? answer : answer.withData("problem", problem)).build();
  }
}
