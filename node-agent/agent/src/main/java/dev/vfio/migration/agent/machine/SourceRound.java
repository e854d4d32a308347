package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.PendingBytes;

/**
 * One round of a source's copying.
 *
 * @param number from 0
 * @param startedAt monotonic nanoseconds
 * @param restNanos the last idle rest, for the next to be longer
 * @param estimate what the device said of its pending bytes
 * @param sent what was found and sent
 */
record SourceRound(int number, long startedAt, long restNanos, Estimate estimate, Sent sent) {

  /**
   * The pending bytes of the last two reads.
   *
   * @param readAt when pending bytes were last read, monotonic nanoseconds
   * @param bytes their sum then
   * @param sinceLastNanos time between the last two reads, 0 where there was one only
   * @param dirtied device state that was made dirty again between them, bytes
   */
  record Estimate(long readAt, long bytes, long sinceLastNanos, long dirtied) {}

  /**
   * What was found and sent since the pending bytes were read.
   *
   * @param stateBytes device state
   * @param dry whether the device had nothing more when it was read last in this round
   * @param memoryFound window content to be sent that the last look at dirty pages found, bytes
   * @param memoryBytes window content
   */
  record Sent(long stateBytes, boolean dry, long memoryFound, long memoryBytes) {}

  static SourceRound first(long now) {
    return new SourceRound(0, now, 0, new Estimate(now, 0, 0, 0), new Sent(0, false, 0, 0));
  }

  /** The round after this one; the counts go on until the pending bytes are read. */
  SourceRound next(long now) {
    return new SourceRound(number + 1, now, restNanos, estimate, sent);
  }

  SourceRound resting(long nanos) {
    return new SourceRound(number, startedAt, nanos, estimate, sent);
  }

  SourceRound pendingRead(PendingBytes pending, long now) {
    boolean compares = number > 0;
    long left = Math.max(0, estimate.bytes() - sent.stateBytes());
    Estimate read =
        new Estimate(
            now,
            pending.total(),
            compares ? now - estimate.readAt() : 0,
            compares ? Math.max(0, pending.total() - left) : 0);
    return new SourceRound(
        number, startedAt, restNanos, read, new Sent(0, false, sent.memoryFound(), 0));
  }

  SourceRound moved(long moreState, long moreMemory) {
    return with(
        new Sent(
            sent.stateBytes() + moreState,
            sent.dry(),
            sent.memoryFound(),
            sent.memoryBytes() + moreMemory));
  }

  /** The device was read to the end of what it hands out now, or of this round. */
  SourceRound looked(boolean dry) {
    return with(new Sent(sent.stateBytes(), dry, sent.memoryFound(), sent.memoryBytes()));
  }

  SourceRound memoryFound(long bytes) {
    return with(new Sent(sent.stateBytes(), sent.dry(), bytes, sent.memoryBytes()));
  }

  private SourceRound with(Sent value) {
    return new SourceRound(number, startedAt, restNanos, estimate, value);
  }
}
