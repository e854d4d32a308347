package dev.vfio.migration.vfio.holder;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.LongSupplier;

/**
 * Looks at the open descriptors of all processes: anew for who decides by it, and once for all
 * devices of a listing. Safe for use by several threads.
 */
final class DescriptorScans {
  /** What a listing found of one device counts for the others for so long. */
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

  /** For who shares with nobody else. */
  DescriptorScans forOneLook() {
    return new DescriptorScans(processes, sysfs, deviceLink, nanoTime);
  }

  /** From now on listings share nothing that was looked at before. */
  void listingBegins() {
    listingBegan.set(looks.get());
  }

  /** Looks now, for nobody else: whoever needs this waits for no other's look. */
  DescriptorTable now() throws IOException {
    looks.incrementAndGet();
    return DescriptorTable.ofAll(processes, sysfs, deviceLink);
  }

  /** Looks now, at some processes only. */
  DescriptorTable now(Set<Long> some) throws IOException {
    return DescriptorTable.ofSome(processes, sysfs, deviceLink, some);
  }

  /**
   * A look that began after the listing did, and ended at most {@link #SHARED_FOR} ago. Of several
   * threads that need one, one looks; one that failed has failed for all of them.
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

  /** How often all processes were looked at. */
  long looks() {
    return looks.get();
  }
}
