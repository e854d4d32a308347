package dev.vfio.migration.operator.status;

import dev.vfio.migration.contract.v1.Progress;
import dev.vfio.migration.operator.api.SwitchoverStart;

/**
 * The pause of the workload. Immutable.
 *
 * @param start what was known when the pause began; null before it
 * @param microseconds how long the workload was paused; null while that was not measured
 */
record Pause(SwitchoverStart start, Long microseconds) {

  /** Begun with what is {@code known}, once something is. The first record stays. */
  Pause begun(Progress known) {
    long bytes = PendingTotal.of(known);
    return start != null || bytes <= 0
        ? this
        : new Pause(
            new SwitchoverStart(bytes, Math.max(0, known.getTransferredBytes())), microseconds);
  }

  /** Zero is "not measured". */
  Pause measured(long nanos) {
    return nanos > 0 ? new Pause(start, Math.max(1, nanos / 1000)) : this;
  }
}
