package dev.vfio.migration.vfio.freezer;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.linux.ErrnoException;
import dev.vfio.migration.vfio.linux.KernelFile;
import dev.vfio.migration.vfio.linux.KernelText;
import dev.vfio.migration.vfio.linux.ProcessDescriptor;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * One cgroup of the unified hierarchy (version 2), with all that is below it. Holds nothing open.
 *
 * <p>Source: the kernel's {@code Documentation/admin-guide/cgroup-v2.rst}.
 *
 * @param path from the root of the hierarchy, such as {@code /kubepods/pod1/container}
 * @param directory where that is mounted
 */
public record Cgroup(String path, Path directory) {
  private static final String FROZEN = "frozen 1";
  private static final String NOT_FROZEN = "frozen 0";
  private static final String EMPTY = "populated 0";

  public boolean exists() {
    return Files.isDirectory(directory);
  }

  /** Whether the kernel can freeze this cgroup at all. */
  boolean freezable() {
    return Files.exists(directory.resolve("cgroup.freeze"));
  }

  /** Whether somebody asked for this very cgroup to be frozen. */
  public boolean freezeAsked() throws IOException {
    return text("cgroup.freeze").strip().equals("1");
  }

  /** Whether everything in it stands still, for whatever reason. */
  public boolean frozen() throws IOException {
    return has(text("cgroup.events"), FROZEN);
  }

  /** Whether a process is in this cgroup or below. */
  public boolean populated() throws IOException {
    return !has(text("cgroup.events"), EMPTY);
  }

  /**
   * Whether it only has threads of processes. The nearest cgroup above that is not threaded lists,
   * freezes and kills these processes. False where it does not exist.
   */
  boolean threaded() throws IOException {
    try {
      return KernelText.read(directory.resolve("cgroup.type")).strip().equals("threaded");
    } catch (ErrnoException failure) {
      // The root has no type.
      if (KernelText.isMissing(failure)) {
        return false;
      }
      throw failure;
    }
  }

  /**
   * Numbers of the processes that are in it, not of those below.
   *
   * @throws ErrnoException EOPNOTSUPP where it has threads only; ENOENT or ENODEV where it does not
   *     exist
   */
  public List<Long> processes() throws ErrnoException {
    List<Long> numbers = new ArrayList<>();
    for (String line : KernelText.read(directory.resolve("cgroup.procs")).split("\n")) {
      if (!line.isBlank()) {
        numbers.add(Long.valueOf(line.strip()));
      }
    }
    return numbers;
  }

  /**
   * Asks for it to be frozen and waits until everything in it stands still.
   *
   * @return false where that had not come about within that time; the request stands all the same
   */
  boolean freeze(Duration timeout) throws IOException {
    write("cgroup.freeze", "1");
    return await(FROZEN, timeout);
  }

  /**
   * Takes the request back, where there is one, and waits until the processes may run. A cgroup
   * that cannot be frozen runs.
   *
   * @return false where that had not come about within that time: a cgroup above it is frozen
   */
  boolean thaw(Duration timeout) throws IOException {
    if (!freezable()) {
      return true;
    }
    if (freezeAsked()) {
      write("cgroup.freeze", "0");
    }
    return await(NOT_FROZEN, timeout);
  }

  /**
   * Kills what is in it and below, frozen or not, and waits until it is empty.
   *
   * @return false where it was not empty within that time
   */
  boolean kill(Duration timeout) throws IOException {
    long start = System.nanoTime();
    try {
      write("cgroup.kill", "1");
      return await(EMPTY, timeout);
    } catch (NoSuchFileException olderThanLinux514) {
      killOneByOne();
    }
    // A process that was forked meanwhile has a living parent: repeat until none is left.
    while (populated()) {
      if (System.nanoTime() - start > timeout.toNanos()) {
        return false;
      }
      killOneByOne();
      await(EMPTY, Duration.ofMillis(100));
    }
    return true;
  }

  void killOneByOne() throws IOException {
    for (CgroupTree folders = new CgroupTree(directory); folders.hasNext(); ) {
      Cgroup folder = new Cgroup(path, folders.next());
      for (long number : folder.processesIfThere()) {
        try (ProcessDescriptor process = ProcessDescriptor.open(number)) {
          // The process is pinned: if it is still listed now, the number is still its own.
          if (folder.processesIfThere().contains(number)) {
            process.kill();
          }
        } catch (ErrnoException ended) {
          if (!ended.is(Errno.ESRCH)) {
            throw ended;
          }
        }
      }
    }
  }

  /** None where it does not exist, or has threads only. */
  private List<Long> processesIfThere() throws IOException {
    try {
      return processes();
    } catch (ErrnoException failure) {
      if (KernelText.isMissing(failure) || failure.is(Errno.EOPNOTSUPP)) {
        return List.of();
      }
      throw failure;
    }
  }

  private boolean await(String line, Duration timeout) throws IOException {
    long start = System.nanoTime();
    try (KernelFile events = KernelFile.open(directory.resolve("cgroup.events"))) {
      while (true) {
        if (has(events.read(), line)) {
          return true;
        }
        Duration left = timeout.minusNanos(System.nanoTime() - start);
        if (left.isNegative() || left.isZero()) {
          return false;
        }
        events.awaitChange(left);
      }
    }
  }

  private static boolean has(String text, String wanted) {
    return text.lines().anyMatch(wanted::equals);
  }

  private String text(String file) throws ErrnoException {
    return KernelText.read(directory.resolve(file));
  }

  private void write(String file, String text) throws IOException {
    Files.write(
        directory.resolve(file), text.getBytes(StandardCharsets.UTF_8), StandardOpenOption.WRITE);
  }
}
