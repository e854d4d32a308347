package dev.vfio.migration.operator.status;

import dev.vfio.migration.operator.api.ByteSize;
import dev.vfio.migration.operator.api.Condition;
import dev.vfio.migration.operator.api.DeviceMigrationStatus;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.Rollback;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** The only class that turns the groups into the fields of the CRD, and the fields into groups. */
public final class StatusWriter {
  private StatusWriter() {}

  /** The groups of what was recorded, with nothing added. */
  static RecordedStatus read(DeviceMigrationStatus recorded) {
    return new RecordedStatus(
        new PhaseHistory(recorded.phase(), recorded.phaseTransitions()),
        new HandoverRecord(
            recorded.handover(), recorded.rollback(), recorded.touched(), recorded.fencingNumber()),
        new DeviceRecord(
            recorded.sourceState(), recorded.destinationState(), recorded.migrationInterface()),
        new CopyProgress(
            recorded.pending(),
            recorded.progressPercent(),
            new CopyProgress.Copied(
                recorded.transferredBytes(), recorded.dirtyPages(), recorded.iterations()),
            recorded.bytesPerSecond(),
            recorded.estimatedDowntime()),
        new Pause(recorded.switchoverStart(), recorded.downtimeMicroseconds()),
        Conditions.of(recorded.conditions()));
  }

  static DeviceMigrationStatus write(RecordedStatus groups, Long generation, Integer attempt) {
    return write(groups, groups.conditions().list(), generation, attempt);
  }

  private static DeviceMigrationStatus write(
      RecordedStatus groups, List<Condition> conditions, Long generation, Integer attempt) {
    HandoverRecord handover = groups.handover();
    CopyProgress progress = groups.progress();
    Long micros = groups.pause().microseconds();
    return new DeviceMigrationStatus(
        groups.phases().phase(),
        generation,
        attempt,
        handover.decision(),
        handover.rollback(),
        groups.devices().source(),
        groups.devices().destination(),
        groups.devices().migrationInterface(),
        progress.pending(),
        progress.percent(),
        progress.copied().bytes(),
        progress.bytesPerSecond() == null ? null : ByteSize.formatRate(progress.bytesPerSecond()),
        progress.bytesPerSecond(),
        progress.copied().dirtyPages(),
        progress.copied().iterations(),
        progress.estimatedDowntime(),
        micros == null ? null : GoDuration.format(Duration.of(micros, ChronoUnit.MICROS)),
        micros,
        handover.touched(),
        handover.fencingNumber(),
        groups.pause().start(),
        groups.phases().transitions(),
        conditions,
        null);
  }

  /**
   * What the migration cannot go on without, for an API server that does not take all of it: the
   * phase, the decision, what was touched, the pause, and each condition with {@code why} as its
   * message. Progress and device states are left out.
   */
  public static DeviceMigrationStatus essential(DeviceMigrationStatus whole, String why) {
    RecordedStatus groups = read(whole);
    Rollback rollback = groups.handover().rollback();
    return write(
        new RecordedStatus(
            groups.phases(),
            new HandoverRecord(
                groups.handover().decision(),
                rollback == null
                    ? null
                    : new Rollback(rollback.reason(), why, rollback.cancelled()),
                groups.handover().touched(),
                groups.handover().fencingNumber()),
            new DeviceRecord(null, null, groups.devices().migrationInterface()),
            CopyProgress.NONE,
            groups.pause(),
            groups.conditions()),
        whole.conditions().stream().map(condition -> condition.saying(why)).toList(),
        whole.observedGeneration(),
        whole.attempt());
  }
}
