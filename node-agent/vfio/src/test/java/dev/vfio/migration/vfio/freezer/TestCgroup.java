package dev.vfio.migration.vfio.freezer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.vfio.migration.vfio.holder.Processes;
import dev.vfio.migration.vfio.linux.KernelFile;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Assumptions;

/** A real cgroup of this machine for tests; its processes are killed at the end. */
public final class TestCgroup implements AutoCloseable {
  private static final AtomicInteger COUNT = new AtomicInteger();
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  private final Path directory;

  private TestCgroup(Path directory) {
    this.directory = directory;
  }

  /** Makes one; the test is skipped where that is not possible. */
  public static TestCgroup make() throws IOException {
    Path root = root();
    Assumptions.assumeTrue(
        root != null,
        "skipped: no cgroup version 2 hierarchy is mounted (mount -t cgroup2 none /sys/fs/cgroup)");
    Path directory =
        root.resolve("vfio-test-" + ProcessHandle.current().pid() + "-" + COUNT.incrementAndGet());
    try {
      Files.createDirectory(directory);
    } catch (IOException refused) {
      Assumptions.abort("skipped: no cgroup can be made on this machine: " + refused);
    }
    Assumptions.assumeTrue(
        Files.exists(directory.resolve("cgroup.freeze")),
        "skipped: the kernel has no cgroup.freeze");
    return new TestCgroup(directory);
  }

  /** Where the hierarchy is mounted; null where it is not. */
  public static Path root() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/mounts"))) {
      String[] fields = line.split(" ");
      if (fields[2].equals("cgroup2")) {
        return Path.of(fields[1]);
      }
    }
    return null;
  }

  static Cgroups all() throws IOException {
    return new Cgroups(root(), new Processes(Path.of("/proc")));
  }

  /** A cgroup in this one, closed with it. */
  public TestCgroup below(String name) throws IOException {
    return new TestCgroup(Files.createDirectory(directory.resolve(name)));
  }

  public Path directory() {
    return directory;
  }

  public String path() throws IOException {
    return "/" + root().relativize(directory);
  }

  public void add(long process) throws IOException {
    write("cgroup.procs", Long.toString(process));
  }

  public void write(String file, String text) throws IOException {
    Files.write(
        directory.resolve(file), text.getBytes(StandardCharsets.UTF_8), StandardOpenOption.WRITE);
  }

  public boolean frozen() throws IOException {
    return has("frozen 1");
  }

  private boolean has(String line) throws IOException {
    return Files.readAllLines(directory.resolve("cgroup.events")).contains(line);
  }

  /** Waits until the events say that. */
  public void await(String line) throws IOException {
    long start = System.nanoTime();
    try (KernelFile events = KernelFile.open(directory.resolve("cgroup.events"))) {
      while (!List.of(events.read().split("\n")).contains(line)) {
        assertThat(System.nanoTime() - start).as(line).isLessThan(TIMEOUT.toNanos());
        events.awaitChange(Duration.ofSeconds(1));
      }
    }
  }

  @Override
  public void close() throws IOException {
    if (Files.exists(directory)) {
      write("cgroup.freeze", "0");
      write("cgroup.kill", "1");
      await("populated 0");
      try (var below = Files.newDirectoryStream(directory, Files::isDirectory)) {
        for (Path one : below) {
          Files.delete(one);
        }
      }
      Files.delete(directory);
    }
  }
}
