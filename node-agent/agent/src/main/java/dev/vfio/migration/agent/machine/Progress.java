package dev.vfio.migration.agent.machine;

import dev.vfio.migration.vfio.device.PendingBytes;

/**
 * How far a session has come. Bytes, and bytes per second.
 *
 * @param pending what the device said last
 * @param memoryPending bytes of DMA windows still to be sent in this round
 * @param deviceStateBytes device state sent or taken in
 * @param memoryBytes window content sent or taken in
 * @param dirtyPages pages sent because the device had marked them
 * @param rounds completed precopy rounds
 * @param bytesPerSecond over the last second or round, whichever is longer
 * @param dirtyBytesPerSecond made dirty again during the last round
 * @param downtimeNanos destination: from the workload's pause at the source until RUNNING here;
 *     source, once rolled back: from pause to resume; 0 while not known
 * @param precopyExhausted nothing more can be sent before the device stops
 */
public record Progress(
    PendingBytes pending,
    long memoryPending,
    long deviceStateBytes,
    long memoryBytes,
    long dirtyPages,
    int rounds,
    long bytesPerSecond,
    long dirtyBytesPerSecond,
    long downtimeNanos,
    boolean precopyExhausted) {
  public static final Progress NONE =
      new Progress(PendingBytes.NOTHING, 0, 0, 0, 0, 0, 0, 0, 0, false);

  public long transferredBytes() {
    return deviceStateBytes + memoryBytes;
  }

  Progress withPending(PendingBytes value) {
    return withBytes(value, memoryPending, deviceStateBytes, memoryBytes);
  }

  Progress withMemoryPending(long value) {
    return withBytes(pending, value, deviceStateBytes, memoryBytes);
  }

  Progress withMoved(long newDeviceStateBytes, long newMemoryBytes) {
    return withBytes(pending, memoryPending, newDeviceStateBytes, newMemoryBytes);
  }

  private Progress withBytes(
      PendingBytes pending, long memoryPending, long deviceStateBytes, long memoryBytes) {
    return new Progress(
        pending,
        memoryPending,
        deviceStateBytes,
        memoryBytes,
        dirtyPages,
        rounds,
        bytesPerSecond,
        dirtyBytesPerSecond,
        downtimeNanos,
        precopyExhausted);
  }

  Progress withDirty(long newDirtyPages, long newDirtyBytesPerSecond) {
    return with(
        newDirtyPages,
        rounds,
        bytesPerSecond,
        newDirtyBytesPerSecond,
        downtimeNanos,
        precopyExhausted);
  }

  Progress withRounds(int newRounds, boolean exhausted) {
    return with(
        dirtyPages, newRounds, bytesPerSecond, dirtyBytesPerSecond, downtimeNanos, exhausted);
  }

  Progress withRate(long value) {
    return with(dirtyPages, rounds, value, dirtyBytesPerSecond, downtimeNanos, precopyExhausted);
  }

  Progress withDowntime(long nanos) {
    return with(dirtyPages, rounds, bytesPerSecond, dirtyBytesPerSecond, nanos, precopyExhausted);
  }

  private Progress with(
      long dirtyPages,
      int rounds,
      long bytesPerSecond,
      long dirtyBytesPerSecond,
      long downtimeNanos,
      boolean precopyExhausted) {
    return new Progress(
        pending,
        memoryPending,
        deviceStateBytes,
        memoryBytes,
        dirtyPages,
        rounds,
        bytesPerSecond,
        dirtyBytesPerSecond,
        downtimeNanos,
        precopyExhausted);
  }
}
