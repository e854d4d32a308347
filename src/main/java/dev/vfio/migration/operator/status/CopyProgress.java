package dev.vfio.migration.operator.status;

import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.operator.api.ByteSize;
import dev.vfio.migration.operator.api.GoDuration;
import dev.vfio.migration.operator.api.PendingBytes;
import java.time.Duration;
import java.util.Optional;

/**
 * How far the copy is. Null stands for what is not known, or is no longer true. Immutable.
 *
 * @param percent 0 to 100
 * @param copied what was sent so far
 * @param bytesPerSecond payload
 * @param estimatedDowntime as people read it
 */
record CopyProgress(
    PendingBytes pending,
    Integer percent,
    Copied copied,
    Long bytesPerSecond,
    String estimatedDowntime) {
  static final CopyProgress NONE =
      new CopyProgress(null, null, new Copied(null, null, null), null, null);

  /**
   * What stays true however the migration ends.
   *
   * @param bytes payload bytes sent, repeats included
   * @param dirtyPages pages sent because the device had marked them dirty
   * @param iterations completed rounds
   */
  record Copied(Long bytes, Long dirtyPages, Long iterations) {}

  /** As the source reports it. */
  CopyProgress reported(Progress progress) {
    var bytes = progress.getPending();
    long total = PendingTotal.of(progress);
    long done = progress.getTransferredBytes();
    return new CopyProgress(
        new PendingBytes(
            bytes.getPrecopyOnly(),
            bytes.getCompatible(),
            bytes.getPostcopyOnly(),
            progress.getMemoryPending(),
            total,
            ByteSize.format(total)),
        percent(done, total),
        new Copied(done, progress.getDirtyPages(), Integer.toUnsignedLong(progress.getRounds())),
        progress.getBytesPerSecond(),
        estimatedDowntime);
  }

  /** At most 99: only success is 100. */
  private static int percent(long done, long left) {
    return done <= 0 ? 0 : (int) Math.min(99, Math.round(100.0 * done / ((double) done + left)));
  }

  CopyProgress estimating(Optional<Duration> downtime) {
    return new CopyProgress(
        pending, percent, copied, bytesPerSecond, downtime.map(GoDuration::format).orElse(null));
  }

  /** The copy was dropped: only what was sent stays true. */
  CopyProgress dropped() {
    return new CopyProgress(null, null, copied, null, null);
  }

  /** Everything arrived: nothing is pending any more. */
  CopyProgress arrived() {
    return new CopyProgress(
        new PendingBytes(0, 0, 0, 0, 0, ByteSize.format(0)), 100, copied, null, null);
  }
}
