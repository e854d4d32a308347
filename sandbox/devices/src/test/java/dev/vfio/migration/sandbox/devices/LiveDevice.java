package dev.vfio.migration.sandbox.devices;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;

/** A simulated device with its sockets in a short directory of its own, for one test. */
final class LiveDevice implements AutoCloseable {
  private static final Duration TIMEOUT = Duration.ofSeconds(60);

  private final Path directory;
  private final ServedDevice device;

  private LiveDevice(Path directory, ServedDevice device) {
    this.directory = directory;
    this.device = device;
  }

  /**
   * @param options beside the names and places, with a space between any two words; empty for none
   */
  static LiveDevice start(String node, String role, String options) throws IOException {
    Path directory = Files.createTempDirectory(Path.of("/tmp"), "dev");
    Path log = directory.resolve("log");
    String all = arguments(node, role, directory, log) + " " + options;
    DeviceOptions parsed = DeviceOptions.parse(all.trim().split(" "));
    return new LiveDevice(directory, ServedDevice.start(parsed, () -> {}));
  }

  /** Names and places of the device {@code gpu-0}, as on the command line. */
  static String arguments(String node, String role, Path directory, Path log) {
    return "--name gpu-0 --node %s --role %s --directory %s --memory-directory %s --log %s"
        .formatted(node, role, directory, directory, log);
  }

  Path directory() {
    return directory;
  }

  Path socket() {
    return directory.resolve("gpu-0/device.sock");
  }

  ServedDevice device() {
    return device;
  }

  LineClient console() throws IOException {
    return new LineClient(directory.resolve("gpu-0/console.sock"));
  }

  LineClient workload() throws IOException {
    return new LineClient(directory.resolve("gpu-0/workload.sock"));
  }

  List<Map<String, Object>> events(String name) throws IOException {
    return RecordedLog.parse(Files.readString(directory.resolve("log"))).stream()
        .filter(event -> name.equals(event.get("event")))
        .toList();
  }

  /** Waits, boundedly, for an event of that name that fits. */
  Map<String, Object> await(String name, Predicate<Map<String, Object>> fits) throws IOException {
    long deadline = System.nanoTime() + TIMEOUT.toNanos();
    while (System.nanoTime() < deadline) {
      for (Map<String, Object> event : events(name)) {
        if (fits.test(event)) {
          return event;
        }
      }
      Thread.onSpinWait();
    }
    throw new AssertionError("no such event '" + name + "' in " + events(name));
  }

  /** Waits, boundedly, until the workload has done that many steps in all. */
  void awaitStep(long step) {
    long deadline = System.nanoTime() + TIMEOUT.toNanos();
    while (device.device().stepNumber() < step) {
      if (System.nanoTime() > deadline) {
        throw new AssertionError("the workload is still at step " + device.device().stepNumber());
      }
      Thread.yield();
    }
  }

  @Override
  public void close() throws IOException {
    device.close();
    Files.deleteIfExists(directory.resolve("log"));
    // fails if the device has left anything behind
    Files.delete(directory);
  }
}
