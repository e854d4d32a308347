package dev.vfio.migration.vfio.memory;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.FileStatus;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.workload.DmaWindow;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Whether this node has memory for the content of windows that are to be filled. Refuses only what
 * cannot fit: memory that is free now may be taken before it is written, and the write then fails.
 *
 * <p>Pages of a window that nobody has written yet count for the first writer, which is this
 * process, and for its own limit.
 */
public final class MemoryRoom {
  private static final int KIB = 1024;

  private final Path information;
  private final Limit limit;

  /** The most memory that this process may have besides its own. */
  @FunctionalInterface
  public interface Limit {
    /** Bytes; {@link Long#MAX_VALUE} for no limit. */
    long bytes() throws IOException;
  }

  /**
   * Does no I/O.
   *
   * @param information {@code /proc/meminfo}
   * @param limit of this process
   */
  public MemoryRoom(Path information, Limit limit) {
    this.information = information;
    this.limit = limit;
  }

  /**
   * Makes sure that there is room for what the windows do not have yet.
   *
   * @throws IOException where there is not; the message says of what, and how much
   */
  public void requireFor(List<DmaWindow> windows) throws IOException {
    Map<String, Long> missing = new HashMap<>();
    Map<String, Descriptor> one = new HashMap<>();
    long all = 0;
    for (DmaWindow window : windows) {
      if (window.memory().isPresent()) {
        FileStatus file = FileStatus.of(window.memory().get());
        long holes = Math.max(0, window.size() - file.allocated());
        missing.merge(file.device(), holes, Long::sum);
        one.putIfAbsent(file.device(), window.memory().get());
        all += holes;
      }
    }
    if (all == 0) {
      return;
    }
    for (Map.Entry<String, Descriptor> system : one.entrySet()) {
      long free = OpenFile.freeBytes(system.getValue());
      long needed = missing.get(system.getKey());
      if (needed > free) {
        throw new IOException(
            String.format(
                "their files lack %s bytes, and the file system %s that they are on has %s left."
                    + " Make it larger (mount -o remount,size=...)",
                needed, system.getKey(), free));
      }
    }
    long available = available();
    if (all > available) {
      throw new IOException(
          "they need " + all + " bytes of memory, and this node has " + available + " to give");
    }
    long most = limit.bytes();
    if (all > most) {
      throw new IOException(
          String.format(
              "they need %s bytes of memory that count for the node agent, and its cgroup may have"
                  + " %s more (memory.max, less what programs hold there). Raise the agent's memory"
                  + " limit (agent.resources.limits.memory of the chart)",
              all, most));
    }
  }

  private long available() throws IOException {
    Map<String, Long> fields = new HashMap<>();
    for (String line : Files.readAllLines(information)) {
      String[] words = line.split("[: ]+");
      if (words.length == 3 && words[2].equals("kB")) {
        fields.put(words[0], Long.parseLong(words[1]) * KIB);
      }
    }
    // What cannot be read limits nothing: the write that finds no memory says so.
    return fields.containsKey("MemAvailable")
        ? fields.get("MemAvailable") + fields.getOrDefault("SwapFree", 0L)
        : Long.MAX_VALUE;
  }
}
