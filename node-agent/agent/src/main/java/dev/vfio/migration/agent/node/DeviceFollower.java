package dev.vfio.migration.agent.node;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jboss.logging.Logger;

/**
 * Looks for the kernel's devices as soon as one comes or goes: whoever makes a device may start its
 * workload at once, which needs the device's folder. Changes in the folders of device nodes are
 * noticed at once, all others once a period. It has a thread of its own, and nobody waits for it.
 */
final class DeviceFollower implements AutoCloseable {
  private static final Logger LOG = Logger.getLogger(DeviceFollower.class);

  /** A node may be there a moment before sysfs has all of its device. */
  private static final Duration SETTLING = Duration.ofMillis(100);

  private static final int LOOKS_AFTER_AN_EVENT = 10;

  private final List<Path> folders;
  private final Runnable follow;
  private final Duration period;
  private final WatchService watch;
  private final CountDownLatch closed = new CountDownLatch(1);
  private final Map<Path, WatchKey> watched = new HashMap<>();
  private final Thread thread = new Thread(this::run, "device-follower");

  /**
   * @param devices with the nodes of groups; its folder {@code devices} has those of devices.
   *     Neither need exist
   * @param follow looks for devices; never throws
   * @param period between two looks where no change is noticed
   */
  DeviceFollower(Path devices, Runnable follow, Duration period) {
    this.folders = List.of(devices, devices.resolve("devices"));
    this.follow = follow;
    this.period = period;
    this.watch = newWatch();
    thread.setDaemon(true);
  }

  /** Null where the system has no watch left: then devices are looked for once a period. */
  private static WatchService newWatch() {
    try {
      return FileSystems.getDefault().newWatchService();
    } catch (IOException | UnsupportedOperationException none) {
      LOG.warnf(
          "new devices are looked for once a period only, because changes cannot be watched: %s",
          none);
      return null;
    }
  }

  /** Begins to look. */
  void start() {
    thread.start();
  }

  private void run() {
    int soon = 0;
    try {
      while (closed.getCount() > 0) {
        folders.forEach(this::watch);
        follow.run();
        boolean noticed = await(soon > 0 ? SETTLING : period);
        soon = noticed ? LOOKS_AFTER_AN_EVENT : Math.max(0, soon - 1);
      }
    } catch (InterruptedException | ClosedWatchServiceException ended) {
      LOG.debug("no device is looked for any more: the agent ends");
    }
  }

  private void watch(Path folder) {
    WatchKey known = watched.get(folder);
    if (watch == null || known != null && known.isValid() || !Files.isDirectory(folder)) {
      return;
    }
    try {
      watched.put(
          folder,
          folder.register(
              watch, StandardWatchEventKinds.ENTRY_CREATE, StandardWatchEventKinds.ENTRY_DELETE));
    } catch (IOException unwatched) {
      LOG.debugf("%s is not watched: %s", folder, unwatched);
    }
  }

  private boolean await(Duration atMost) throws InterruptedException {
    if (watch == null) {
      return closed.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
    }
    WatchKey change = watch.poll(atMost.toMillis(), TimeUnit.MILLISECONDS);
    if (change == null) {
      return false;
    }
    change.pollEvents();
    change.reset();
    return true;
  }

  @Override
  public void close() {
    closed.countDown();
    thread.interrupt();
    try {
      if (watch != null) {
        watch.close();
      }
    } catch (IOException failure) {
      LOG.warnf("the watch for new devices could not be closed: %s", failure);
    }
  }
}
