package dev.vfio.migration.sandbox.cluster;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * What a simulated device is like. Both ends of a migration have the same shape, apart from their
 * faults.
 *
 * @param name the device is {@code vfio-user:NAME} on its node
 * @param stateSize bytes of device state
 * @param dirtyRate bytes of device state per second that the running device makes dirty
 * @param memorySize bytes of the workload's DMA window; 0 for none
 * @param memoryDirtyRate bytes of the window per second that the running device writes
 * @param further more arguments of the device process, faults among them
 */
public record DeviceShape(
    String name,
    long stateSize,
    long dirtyRate,
    long memorySize,
    long memoryDirtyRate,
    List<String> further) {

  private static final long MEBIBYTE = 1L << 20;

  public DeviceShape {
    further = List.copyOf(further);
  }

  /** A small device that is quickly moved: 4 MiB of state and 1 MiB of memory, both changing. */
  public static DeviceShape small(String name) {
    return new DeviceShape(name, 4 * MEBIBYTE, MEBIBYTE, MEBIBYTE, MEBIBYTE, List.of());
  }

  public DeviceShape withState(long size, long rate) {
    return new DeviceShape(name, size, rate, memorySize, memoryDirtyRate, further);
  }

  public DeviceShape withMemory(long size, long rate) {
    return new DeviceShape(name, stateSize, dirtyRate, size, rate, further);
  }

  /** With one more fault, as the device process takes it. */
  public DeviceShape withFault(String fault) {
    return withOption("--fault", fault);
  }

  /** With one more option of the device process. */
  public DeviceShape withOption(String option, String value) {
    List<String> more = new ArrayList<>(further);
    more.add(option);
    more.add(value);
    return new DeviceShape(name, stateSize, dirtyRate, memorySize, memoryDirtyRate, more);
  }

  /** The id that users write into a DeviceMigration. */
  public String id() {
    return "vfio-user:" + name;
  }

  /** Arguments of the device process. */
  List<String> arguments(SandboxNode node, Path log, boolean running) {
    List<String> arguments =
        new ArrayList<>(
            List.of(
                "--name",
                name,
                "--node",
                node.name(),
                "--directory",
                node.sockets().toString(),
                "--memory-directory",
                // In a folder of the device's own, where the agent looks for its window.
                node.memory().resolve(name).toString(),
                "--log",
                log.toString(),
                "--role",
                running ? "running" : "waiting",
                "--state-size",
                stateSize + "B",
                "--dirty-rate",
                dirtyRate + "B/s",
                "--memory-size",
                memorySize + "B",
                "--memory-dirty-rate",
                memoryDirtyRate + "B/s"));
    arguments.addAll(further);
    return arguments;
  }
}
