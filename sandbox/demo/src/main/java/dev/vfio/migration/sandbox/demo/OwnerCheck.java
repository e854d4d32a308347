package dev.vfio.migration.sandbox.demo;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.cluster.LaunchedDevice;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import dev.vfio.migration.sandbox.cluster.waiting.Waiting;
import java.io.IOException;
import java.time.Duration;
import java.util.Optional;

/**
 * Asks the device that owns the state at the end for its own verification.
 *
 * @param owner the device that should run
 */
record OwnerCheck(LaunchedDevice owner) {
  private static final Duration TIMEOUT = Duration.ofSeconds(10);
  private static final Duration LOOK_AGAIN = Duration.ofMillis(20);

  /** Waits until the workload makes steps, then verifies. Empty where it makes none. */
  Optional<Continuity> verifyRunning() throws IOException, InterruptedException {
    long first = owner.console().status().path("step").asLong();
    boolean steps =
        Waiting.within(
            TIMEOUT,
            LOOK_AGAIN,
            () -> {
              JsonNode status = owner.console().status();
              return status.path("workload").asText().equals("running")
                  && status.path("step").asLong() > first;
            });
    return steps ? Optional.of(owner.console().verify()) : Optional.empty();
  }
}
