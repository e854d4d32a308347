package dev.vfio.migration.sandbox.demo;

import com.fasterxml.jackson.databind.JsonNode;
import dev.vfio.migration.sandbox.cluster.SimulatedDevice;
import dev.vfio.migration.sandbox.cluster.console.DeviceConsole.Continuity;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/**
 * Asks the device that owns the state at the end for its own verification.
 *
 * @param owner the device that should run
 */
record OwnerCheck(SimulatedDevice owner) {
  private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(10);
  private static final long ASK_AGAIN_NANOS = TimeUnit.MILLISECONDS.toNanos(20);

  /** Waits until the workload makes steps, then verifies. Empty where it makes none. */
  Optional<Continuity> verifyRunning() throws IOException {
    long deadline = System.nanoTime() + PATIENCE_NANOS;
    long first = owner.console().status().path("step").asLong();
    while (true) {
      JsonNode status = owner.console().status();
      boolean runs = status.path("workload").asText().equals("running");
      if (runs && status.path("step").asLong() > first) {
        return Optional.of(owner.console().verify());
      }
      if (System.nanoTime() > deadline) {
        return Optional.empty();
      }
      LockSupport.parkNanos(ASK_AGAIN_NANOS);
    }
  }
}
