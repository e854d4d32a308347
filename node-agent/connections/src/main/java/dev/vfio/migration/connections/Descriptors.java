package dev.vfio.migration.connections;

import com.sun.management.UnixOperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** File descriptors of this process. */
public final class Descriptors {
  private Descriptors() {}

  /** How many this process may have open (RLIMIT_NOFILE); as many as there are numbers for none. */
  public static long limit() {
    if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system
        && system.getMaxFileDescriptorCount() > 0) {
      return system.getMaxFileDescriptorCount();
    }
    return Long.MAX_VALUE;
  }

  /** Those open now; for tests and metrics. */
  public static long open() {
    return ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system
        ? system.getOpenFileDescriptorCount()
        : 0;
  }
}
