package dev.vfio.migration.operator.health;

import dev.vfio.migration.operator.api.DeviceMigration;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.Phase;
import dev.vfio.migration.operator.api.PhaseTransition;
import dev.vfio.migration.operator.record.StatusRecord.StatusListener;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import jakarta.inject.Singleton;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Metrics of migrations: {@code vfio_migrations} (gauge by phase), {@code
 * vfio_migration_phase_duration_seconds} (timer by phase), {@code vfio_migration_duration_seconds}
 * and {@code vfio_migration_downtime_seconds} (timers by outcome), {@code
 * vfio_migration_transferred_bytes} (summary by outcome). Thread-safe.
 */
@Singleton
public final class MigrationMetrics implements StatusListener {
  private final MeterRegistry registry;
  private final Map<String, Phase> phases = new ConcurrentHashMap<>();

  public MigrationMetrics(MeterRegistry registry) {
    this.registry = registry;
    for (Phase phase : Phase.values()) {
      Gauge.builder("vfio.migrations", phases, known -> count(known, phase))
          .description("Migrations by phase")
          .tag("phase", phase.text())
          .register(registry);
    }
  }

  private static double count(Map<String, Phase> known, Phase phase) {
    return known.values().stream().filter(phase::equals).count();
  }

  @Override
  public void written(
      DeviceMigration migration, DeviceMigrationStatus before, DeviceMigrationStatus after) {
    phases.put(migration.getMetadata().getUid(), after.phase());
    if (after.phase() == before.phase()) {
      return;
    }
    if (before.phase() != null && !after.phaseTransitions().isEmpty()) {
      Instant left = time(last(after));
      time(
          "vfio.migration.phase.duration",
          "phase",
          before.phase().text(),
          sinceEntered(before, left));
    }
    if (after.phase().terminal()) {
      ended(after);
    }
  }

  private void ended(DeviceMigrationStatus status) {
    String outcome = status.phase().text();
    List<PhaseTransition> transitions = status.phaseTransitions();
    if (!transitions.isEmpty()) {
      time(
          "vfio.migration.duration",
          "outcome",
          outcome,
          Duration.between(time(transitions.get(0)), time(last(status))));
    }
    if (status.downtimeMicroseconds() != null) {
      Timer.builder("vfio.migration.downtime")
          .tag("outcome", outcome)
          .publishPercentileHistogram()
          .register(registry)
          .record(status.downtimeMicroseconds(), TimeUnit.MICROSECONDS);
    }
    registry
        .summary("vfio.migration.transferred.bytes", "outcome", outcome)
        .record(Objects.requireNonNullElse(status.transferredBytes(), 0L));
  }

  private void time(String name, String tag, String value, Duration duration) {
    if (!duration.isNegative()) {
      registry.timer(name, tag, value).record(duration);
    }
  }

  private static Duration sinceEntered(DeviceMigrationStatus status, Instant now) {
    return status.phaseTransitions().isEmpty()
        ? Duration.ZERO
        : Duration.between(time(last(status)), now);
  }

  private static PhaseTransition last(DeviceMigrationStatus status) {
    return status.phaseTransitions().get(status.phaseTransitions().size() - 1);
  }

  private static Instant time(PhaseTransition transition) {
    return Instant.parse(transition.time());
  }

  @Override
  public void removed(String uid) {
    phases.remove(uid);
  }
}
