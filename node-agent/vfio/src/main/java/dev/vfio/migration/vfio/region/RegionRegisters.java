package dev.vfio.migration.vfio.region;

import dev.vfio.migration.vfio.access.AccessException;
import dev.vfio.migration.vfio.access.AccessException.Reason;
import dev.vfio.migration.vfio.access.DeviceAccess;
import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.NativeMemory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntPredicate;

/**
 * The registers at the start of the region, at their exact widths: one 4-byte access for {@code
 * device_state}, one 8-byte access for every other, never merged, always trapped. A short access is
 * an error; see {@link #read(int)} for drivers that accept halves only.
 *
 * <p>The interfaces do not say that a change of state is over when its write returns. A driver that
 * is still busy answers EAGAIN, and the access is repeated for {@link #BUSY_TIMEOUT}.
 */
final class RegionRegisters {
  /** The register lies there in both formats. */
  private static final int DEVICE_STATE = 0;

  private static final Duration BUSY_TIMEOUT = Duration.ofSeconds(2);
  private static final Duration SETTLING = Duration.ofMillis(500);
  private static final Duration BETWEEN_TRIES = Duration.ofMillis(5);

  private final DeviceAccess access;
  private final MigrationRegion region;

  /** Whether the driver refuses accesses of 8 bytes. */
  private boolean halves;

  private final ByteBuffer narrow = NativeMemory.allocate(Integer.BYTES);
  private final ByteBuffer wide = NativeMemory.allocate(Long.BYTES);

  RegionRegisters(DeviceAccess access, MigrationRegion region) {
    this.access = access;
    this.region = region;
  }

  int readDeviceState() throws AccessException {
    read(DEVICE_STATE, narrow.clear());
    return narrow.getInt(0);
  }

  /** As {@link #readDeviceState()}, of a device that is at rest and should answer soon. */
  int askDeviceState() throws AccessException {
    retryWhileBusy("read", DEVICE_STATE, DEVICE_STATE, narrow.clear(), access::askRegion);
    return narrow.getInt(0);
  }

  /**
   * The state after a change that the driver accepted. The driver may still be changing it and pass
   * through other states, so a value that is not settled is read again for {@link #SETTLING}.
   *
   * @param settled whether a value of the register ends the change, well or badly
   */
  int deviceStateAfter(IntPredicate settled) throws AccessException {
    long start = System.nanoTime();
    int now = readDeviceState();
    while (!settled.test(now)
        && System.nanoTime() - start < SETTLING.toNanos()
        && !Thread.currentThread().isInterrupted()) {
      LockSupport.parkNanos(BETWEEN_TRIES.toNanos());
      now = readDeviceState();
    }
    return now;
  }

  void writeDeviceState(int value) throws AccessException {
    narrow.putInt(0, value);
    write(DEVICE_STATE, narrow.clear());
  }

  /**
   * A 2018 driver may accept accesses of 4 bytes only, because no u64 of the structure is aligned.
   * If it refuses a read of 8 bytes with EINVAL and answers both halves, the first one first, these
   * count. Nothing is written in halves, because half a {@code data.size} may commit a chunk.
   */
  long read(int field) throws AccessException {
    if (halves) {
      return readHalves(field);
    }
    try {
      read(field, wide.clear());
      return wide.getLong(0);
    } catch (AccessException failure) {
      if (region.format() != RegionFormat.OF_2018 || !failure.refusedWith(Errno.EINVAL)) {
        throw failure;
      }
      try {
        long value = readHalves(field);
        halves = true;
        return value;
      } catch (AccessException alsoRefused) {
        failure.addSuppressed(alsoRefused);
        throw failure;
      }
    }
  }

  /** Whether the driver refused 8 bytes and answered both halves. */
  boolean takesHalvesOnly() {
    return halves;
  }

  private long readHalves(int field) throws AccessException {
    wide.clear();
    for (int at = 0; at < Long.BYTES; at += Integer.BYTES) {
      ByteBuffer half = wide.slice(at, Integer.BYTES).order(ByteOrder.nativeOrder());
      retryWhileBusy("read", field, field + at, half, access::readRegion);
    }
    return wide.getLong(0);
  }

  void write(int field, long value) throws AccessException {
    wide.putLong(0, value);
    write(field, wide.clear());
  }

  private void read(int field, ByteBuffer value) throws AccessException {
    retryWhileBusy("read", field, field, value, access::readRegion);
  }

  private void write(int field, ByteBuffer value) throws AccessException {
    retryWhileBusy("write", field, field, value, access::writeRegion);
  }

  /** A read or a write. */
  @FunctionalInterface
  private interface Access {
    int make(int region, long offset, ByteBuffer value) throws AccessException;
  }

  private void retryWhileBusy(String what, int field, int offset, ByteBuffer value, Access one)
      throws AccessException {
    int width = value.remaining();
    long start = System.nanoTime();
    while (true) {
      try {
        requireWhole(what, field, width, one.make(region.info().index(), offset, value.rewind()));
        return;
      } catch (AccessException failure) {
        boolean busy = failure.refusedWith(Errno.EAGAIN);
        if (!busy || System.nanoTime() - start >= BUSY_TIMEOUT.toNanos()) {
          throw failure;
        }
        LockSupport.parkNanos(BETWEEN_TRIES.toNanos());
        // An interrupt would turn the wait into spinning: the caller handles it.
        if (Thread.currentThread().isInterrupted()) {
          throw failure;
        }
      }
    }
  }

  private void requireWhole(String what, int field, int width, int done) throws AccessException {
    if (done != width) {
      throw new AccessException(
          Reason.REFUSED,
          0,
          String.format(
              "short %s of %s: %s of %s bytes", what, region.format().nameOf(field), done, width));
    }
  }
}
