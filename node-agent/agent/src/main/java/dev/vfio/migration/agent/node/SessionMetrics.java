package dev.vfio.migration.agent.node;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.SessionSnapshot;
import dev.vfio.migration.agent.machine.SessionState;
import dev.vfio.migration.agent.session.SessionWatcher;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What this agent's sessions look like to Prometheus: sessions by state, bytes moved, downtime,
 * failures by reason.
 */
final class SessionMetrics implements SessionWatcher {
  private final MeterRegistry registry;
  private final Map<SessionState, AtomicInteger> sessions = new EnumMap<>(SessionState.class);

  SessionMetrics(MeterRegistry registry) {
    this.registry = registry;
    for (SessionState state : SessionState.values()) {
      AtomicInteger count = new AtomicInteger();
      sessions.put(state, count);
      if (!state.terminal()) {
        Gauge.builder("vfio.migration.sessions", count, AtomicInteger::get)
            .description("Sessions under way, by state")
            .tag("role", state.role().name())
            .tag("state", state.name())
            .register(registry);
      }
    }
  }

  @Override
  public void changed(SessionSnapshot before, SessionSnapshot now) {
    if (before == null || before.state() != now.state()) {
      if (before != null) {
        sessions.get(before.state()).decrementAndGet();
      }
      sessions.get(now.state()).incrementAndGet();
      if (now.state().terminal() && before != null) {
        ended(now);
      }
    }
    if (before != null) {
      count(
          now, "device", now.progress().deviceStateBytes() - before.progress().deviceStateBytes());
      count(now, "memory", now.progress().memoryBytes() - before.progress().memoryBytes());
      if (now.failure() != null
          && (before.failure() == null || before.failure().reason() != now.failure().reason())) {
        Counter.builder("vfio.migration.failures")
            .description("What went wrong, by reason")
            .tag("role", now.state().role().name())
            .tag("reason", now.failure().reason().name())
            .register(registry)
            .increment();
      }
    }
  }

  private void ended(SessionSnapshot now) {
    Counter.builder("vfio.migration.sessions.ended")
        .description("Sessions that ended, by how")
        .tag("role", now.state().role().name())
        .tag("state", now.state().name())
        .register(registry)
        .increment();
    if (now.progress().downtimeNanos() > 0) {
      Timer.builder("vfio.migration.downtime")
          .description("From the workload's pause until it ran again, here or there")
          .tag("state", now.state().name())
          .publishPercentiles(0.5, 0.95, 0.99)
          .register(registry)
          .record(Duration.ofNanos(now.progress().downtimeNanos()));
    }
  }

  private void count(SessionSnapshot now, String kind, long bytes) {
    if (bytes > 0) {
      Counter.builder("vfio.migration.transferred")
          .baseUnit("bytes")
          .description("Payload sent by sources and taken in by destinations")
          .tag("role", now.state().role().name())
          .tag("kind", kind)
          .register(registry)
          .increment(bytes);
    }
  }

  @Override
  public void removed(SessionKey key) {
    // Counted when it ended.
  }

  @Override
  public void fault(SessionKey key, String doing, RuntimeException fault) {
    Counter.builder("vfio.migration.faults")
        .description("Faults in the agent itself")
        .register(registry)
        .increment();
  }
}
