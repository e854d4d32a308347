package dev.vfio.migration.vfio.holder;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Scans the open descriptors of all processes: anew for a decision, and once for all devices of a
 * listing. Safe for use by several threads.
 */
final class DescriptorScans {
  /** How long one scan serves all devices of a listing. */
  static final Duration SHARED_FOR = Duration.ofSeconds(2);

  private final Processes processes;
  private final Path sysfs;
  private final String deviceLink;
  private final LongSupplier nanoTime;
  private final AtomicLong looks = new AtomicLong();
  private final ReentrantLock turn = new ReentrantLock();
  private final AtomicLong listingBegan = new AtomicLong();

  // Guarded by turn.
  private DescriptorTable shared;
  private IOException failure;
  private long sharedBegan;
  private long sharedEnded;

  /**
   * @param nanoTime monotonic nanoseconds
   */
  DescriptorScans(Processes processes, Path sysfs, String deviceLink, LongSupplier nanoTime) {
    this.nanoTime = nanoTime;
    this.processes = processes;
    this.sysfs = sysfs;
    this.deviceLink = deviceLink;
  }

  /** Scans that are shared with nobody. */
  DescriptorScans forOneLook() {
    return new DescriptorScans(processes, sysfs, deviceLink, nanoTime);
  }

  /** Listings that begin from now on use no earlier scan. */
  void listingBegins() {
    listingBegan.set(looks.get());
  }

  /** Scans now, and waits for no other thread's scan. */
  DescriptorTable now() throws IOException {
    looks.incrementAndGet();
    return DescriptorTable.ofAll(processes, sysfs, deviceLink);
  }

  /** Scans some processes now. */
  DescriptorTable now(Set<Long> some) throws IOException {
    return DescriptorTable.ofSome(processes, sysfs, deviceLink, some);
  }

  /**
   * A scan that began after the listing did, and ended at most {@link #SHARED_FOR} ago. Of several
   * threads that need one, one scans; its failure is theirs, too.
   */
  DescriptorTable ofListing() throws IOException {
    turn.lock();
    try {
      boolean fresh =
          (shared != null || failure != null)
              && sharedBegan > listingBegan.get()
              && nanoTime.getAsLong() - sharedEnded <= SHARED_FOR.toNanos();
      if (!fresh) {
        sharedBegan = looks.incrementAndGet();
        lookForAll();
        sharedEnded = nanoTime.getAsLong();
      }
      if (failure != null) {
        throw failure;
      }
      return shared;
    } finally {
      turn.unlock();
    }
  }

  private void lookForAll() {
    shared = null;
    failure = null;
    try {
      shared = DescriptorTable.ofAll(processes, sysfs, deviceLink);
    } catch (IOException failed) {
      failure = failed;
    }
  }

  /** How often all processes were scanned. */
  long looks() {
    return looks.get();
  }
}
