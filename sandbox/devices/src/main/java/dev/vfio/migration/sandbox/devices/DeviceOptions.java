package dev.vfio.migration.sandbox.devices;

import dev.vfio.migration.sandbox.devices.chunk.ChunkFormat;
import dev.vfio.migration.sandbox.devices.content.StateGeometry;
import dev.vfio.migration.sandbox.devices.content.WriteRate;
import dev.vfio.migration.sandbox.devices.device.DeviceSettings;
import dev.vfio.migration.sandbox.devices.fault.Fault;
import dev.vfio.migration.sandbox.devices.vfiouser.PciIdentity;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;

/**
 * Everything that shapes one simulated device. Immutable.
 *
 * @param name of the device, and of the folder of its sockets
 * @param node that the log names
 * @param directory where the device's folder is, or is made
 * @param memoryDirectory where window files go
 * @param running whether a workload runs on the device from the start; else it waits for one
 * @param settings of the device itself
 * @param memorySize bytes of the DMA window "ring"; 0 for none
 * @param interval nanoseconds between two steps of the workload
 * @param mappable whether the data area is offered for mmap
 * @param model what config space says
 * @param faults that are set from the start
 */
public record DeviceOptions(
    String name,
    String node,
    Path directory,
    Path memoryDirectory,
    Path log,
    boolean running,
    DeviceSettings settings,
    long memorySize,
    long interval,
    boolean mappable,
    PciIdentity model,
    List<Fault> faults) {

  private static final Pattern NAME = Pattern.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?");
  private static final Set<String> KNOWN =
      Set.of(
          "name",
          "node",
          "directory",
          "memory-directory",
          "log",
          "role",
          "state-size",
          "initial-rate",
          "dirty-rate",
          "memory-size",
          "memory-dirty-rate",
          "step-interval",
          "chunk-size",
          "page-size",
          "seed",
          "mmap",
          "model",
          "bitmap-pages");

  /**
   * Reads {@code --option value} pairs; {@code --fault} may come more than once.
   *
   * @throws IllegalArgumentException with a sentence that says which option is wrong, and why
   */
  public static DeviceOptions parse(String... arguments) {
    Map<String, String> given = new HashMap<>();
    List<Fault> faults = new ArrayList<>();
    for (int index = 0; index < arguments.length; index += 2) {
      String option = arguments[index].startsWith("--") ? arguments[index].substring(2) : "";
      if (index + 1 == arguments.length) {
        throw new IllegalArgumentException(arguments[index] + " needs a value");
      }
      String value = arguments[index + 1];
      if (option.equals("fault")) {
        faults.add(Fault.parse(value));
      } else if (!KNOWN.contains(option)) {
        throw new IllegalArgumentException("there is no option " + arguments[index]);
      } else if (given.put(option, value) != null) {
        throw new IllegalArgumentException(arguments[index] + " is given twice");
      }
    }
    return of(given, faults);
  }

  /** The fixed-point pages a step that meet {@code rate}. */
  long perStep(String rate) {
    return WriteRate.perStep(Quantities.rate(rate), interval, settings.geometry().pageSize());
  }

  private static DeviceOptions of(Map<String, String> given, List<Fault> faults) {
    String name = required(given, "name");
    if (!NAME.matcher(name).matches()) {
      throw new IllegalArgumentException(
          "--name must be lower-case letters, digits and dashes, at most 63, not '" + name + "'");
    }
    long interval = Quantities.duration(given.getOrDefault("step-interval", "1ms"));
    if (interval < 1000) {
      throw new IllegalArgumentException("--step-interval must be at least 1us");
    }
    int pageSize =
        wholeNumber(given, "page-size", Quantities.size(given.getOrDefault("page-size", "4096")));
    StateGeometry geometry =
        new StateGeometry(Quantities.size(given.getOrDefault("state-size", "64MiB")), pageSize);
    int areaSize =
        wholeNumber(given, "chunk-size", Quantities.size(given.getOrDefault("chunk-size", "1MiB")));
    if (areaSize < ChunkFormat.smallestArea(pageSize) || areaSize > 1 << 28) {
      throw new IllegalArgumentException(
          "--chunk-size must be "
              + ChunkFormat.smallestArea(pageSize)
              + " bytes to 256MiB for pages of "
              + pageSize);
    }
    long memorySize = Quantities.size(given.getOrDefault("memory-size", "16MiB"));
    if (memorySize % pageSize != 0) {
      throw new IllegalArgumentException(
          "--memory-size must be a multiple of the page size, " + pageSize);
    }
    String dirtyRate = given.getOrDefault("dirty-rate", "8MiB/s");
    String initialRate = given.getOrDefault("initial-rate", dirtyRate);
    String memoryRate = given.getOrDefault("memory-dirty-rate", "4MiB/s");
    DeviceSettings settings =
        new DeviceSettings(
            geometry,
            number(given, "seed", "1"),
            areaSize,
            pagesPerReport(given),
            WriteRate.perStep(Quantities.rate(initialRate), interval, pageSize),
            WriteRate.perStep(Quantities.rate(dirtyRate), interval, pageSize),
            WriteRate.perStep(Quantities.rate(memoryRate), interval, pageSize));
    return new DeviceOptions(
        name,
        required(given, "node"),
        Path.of(required(given, "directory")).toAbsolutePath(),
        Path.of(required(given, "memory-directory")).toAbsolutePath(),
        Path.of(required(given, "log")).toAbsolutePath(),
        choice(given, "role", null, "running", "waiting").equals("running"),
        settings,
        memorySize,
        interval,
        choice(given, "mmap", "on", "on", "off").equals("on"),
        PciIdentity.parse(given.getOrDefault("model", "10de:20b0:10de:1450")),
        List.copyOf(faults));
  }

  private static int pagesPerReport(Map<String, String> given) {
    long pages = number(given, "bitmap-pages", Integer.toString(1 << 30));
    if (pages < Long.SIZE || pages > 1 << 30 || pages % Long.SIZE != 0) {
      throw new IllegalArgumentException("--bitmap-pages must be a multiple of 64");
    }
    return (int) pages;
  }

  private static String required(Map<String, String> given, String option) {
    String value = given.get(option);
    if (value == null || value.isBlank()) {
      throw new IllegalArgumentException("--" + option + " is missing");
    }
    return value;
  }

  private static String choice(
      Map<String, String> given, String option, String otherwise, String... choices) {
    String value =
        otherwise == null ? required(given, option) : given.getOrDefault(option, otherwise);
    if (!List.of(choices).contains(value)) {
      throw new IllegalArgumentException(
          "--" + option + " is one of " + List.of(choices) + ", not '" + value + "'");
    }
    return value;
  }

  private static long number(Map<String, String> given, String option, String otherwise) {
    String text = given.getOrDefault(option, otherwise);
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new IllegalArgumentException("--" + option + " needs a number, not '" + text + "'", e);
    }
  }

  private static int wholeNumber(Map<String, String> given, String option, long value) {
    if (value > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "--" + option + " is too large: '" + given.get(option) + "'");
    }
    return (int) value;
  }
}
