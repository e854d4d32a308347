package dev.vfio.migration.vfio.holder;

import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;

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
  private final AtomicLong scans = new AtomicLong();
  private final AtomicLong linksRead = new AtomicLong();
  private final ReentrantLock turn = new ReentrantLock();
  private final AtomicLong listingBegan = new AtomicLong();

  // Guarded by turn.
  private DescriptorTable shared;
  private long sharedBegan;
  private long sharedEnded;

  DescriptorScans(Processes processes, Path sysfs, String deviceLink) {
    this.processes = processes;
    this.sysfs = sysfs;
    this.deviceLink = deviceLink;
  }

  /** From now on listings share nothing that was looked at before. */
  void listingBegins() {
    listingBegan.set(scans.get());
  }

  /** Looks now, for nobody else: whoever needs this waits for no other's look. */
  DescriptorTable now() throws IOException {
    return counted(DescriptorTable.ofAll(processes, sysfs, deviceLink));
  }

  /** Looks now, at some processes only. */
  DescriptorTable now(Set<Long> some) throws IOException {
    return DescriptorTable.ofSome(processes, sysfs, deviceLink, some);
  }

  /**
   * A look that began after the listing did, and ended at most {@link #SHARED_FOR} ago. Of several
   * threads that need one, one looks.
   */
  DescriptorTable ofListing() throws IOException {
    turn.lock();
    try {
      boolean fresh =
          shared != null
              && sharedBegan > listingBegan.get()
              && System.nanoTime() - sharedEnded <= SHARED_FOR.toNanos();
      if (!fresh) {
        sharedBegan = scans.incrementAndGet();
        shared = null;
        shared = counted(DescriptorTable.ofAll(processes, sysfs, deviceLink));
        sharedEnded = System.nanoTime();
      }
      return shared;
    } finally {
      turn.unlock();
    }
  }

  private DescriptorTable counted(DescriptorTable table) {
    linksRead.addAndGet(table.linksRead());
    return table;
  }

  /** How many links of descriptors were read by looks at all processes so far. */
  long linksRead() {
    return linksRead.get();
  }
}
