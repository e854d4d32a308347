package dev.vfio.migration.sandbox.devices;

import dev.vfio.migration.sandbox.devices.console.Console;
import dev.vfio.migration.sandbox.devices.device.DeviceModel;
import dev.vfio.migration.sandbox.devices.device.DmaWindow;
import dev.vfio.migration.sandbox.devices.fault.ActiveFaults;
import dev.vfio.migration.sandbox.devices.gate.Gate;
import dev.vfio.migration.sandbox.devices.lines.LineServer;
import dev.vfio.migration.sandbox.devices.log.EventLog;
import dev.vfio.migration.sandbox.devices.region.MigrationRegion;
import dev.vfio.migration.sandbox.devices.region.RegionMemory;
import dev.vfio.migration.sandbox.devices.vfiouser.VfioUserServer;
import dev.vfio.migration.sandbox.devices.workload.Auditor;
import dev.vfio.migration.sandbox.devices.workload.SimulatedWorkload;
import dev.vfio.migration.sandbox.devices.workload.WorkloadProtocol;
import dev.vfio.migration.sandbox.devices.workload.WorkloadState;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Map;

/**
 * One device with its workload and its three sockets, in this process. {@link #start} returns when
 * all of them listen; {@link #close} leaves no file behind but the log.
 */
public final class ServedDevice implements AutoCloseable {
  private final EventLog log;
  private final DeviceModel device;
  private final SimulatedWorkload workload;
  private final Deque<AutoCloseable> parts;
  private boolean closed;

  private ServedDevice(
      EventLog log, DeviceModel device, SimulatedWorkload workload, Deque<AutoCloseable> parts) {
    this.log = log;
    this.device = device;
    this.workload = workload;
    this.parts = parts;
  }

  /**
   * @param stop what the console's {@code stop} asks for
   * @throws IOException if a socket, the log or the window cannot be had; nothing is left behind
   */
  public static ServedDevice start(DeviceOptions options, Runnable stop) throws IOException {
    Deque<AutoCloseable> parts = new ArrayDeque<>();
    try {
      return start(options, stop, parts);
    } catch (IOException | RuntimeException e) {
      closeAll(parts, e);
      throw e;
    }
  }

  private static ServedDevice start(
      DeviceOptions options, Runnable stop, Deque<AutoCloseable> parts) throws IOException {
    Path folder = folder(options, parts);
    Files.createDirectories(options.memoryDirectory());
    EventLog log = EventLog.open(options.log(), options.node(), options.name());
    parts.push(log);
    ActiveFaults faults = new ActiveFaults(log);
    options.faults().forEach(faults::add);
    DmaWindow window = window(options, parts);
    DeviceModel device = new DeviceModel(options.settings(), window, faults, log);
    Auditor auditor = new Auditor(log);
    SimulatedWorkload workload = new SimulatedWorkload(device, auditor, log, options.interval());
    parts.push(workload);
    device.attach(workload);
    RegionMemory memory =
        options.mappable()
            ? RegionMemory.mappable(options.settings().areaSize())
            : RegionMemory.trapped(options.settings().areaSize());
    parts.push(memory);
    MigrationRegion region = new MigrationRegion(device, memory, faults, log);

    if (options.running()) {
      device.powerOn();
    }
    workload.start(options.running() ? WorkloadState.RUNNING : WorkloadState.WAITING);
    Map<String, Gate> gates = Map.of("workload", new Gate(), "device", new Gate());
    parts.push(
        LineServer.start(
            folder.resolve("console.sock"),
            new Console(device, workload, faults, auditor, gates, options::perStep, stop)));
    parts.push(
        LineServer.start(
            folder.resolve("workload.sock"),
            new WorkloadProtocol(options.name(), device, workload),
            gates.get("workload")));
    parts.push(
        VfioUserServer.start(
            folder.resolve("device.sock"),
            region,
            options.model(),
            faults,
            gates.get("device"),
            log));
    log.event(
        "ready",
        line -> {
          line.writeStringField("role", options.running() ? "running" : "waiting");
          line.writeNumberField("stateSize", options.settings().geometry().stateSize());
          line.writeNumberField("memorySize", options.memorySize());
          line.writeNumberField("pid", ProcessHandle.current().pid());
        });
    return new ServedDevice(log, device, workload, parts);
  }

  /** The device, for tests that look inside. */
  DeviceModel device() {
    return device;
  }

  /** The workload, for tests that look inside. */
  SimulatedWorkload workload() {
    return workload;
  }

  @Override
  public synchronized void close() {
    if (closed) {
      return;
    }
    closed = true;
    log.event("stop", line -> line.writeNumberField("step", device.stepNumber()));
    RuntimeException failure = new IllegalStateException("the device did not end cleanly");
    closeAll(parts, failure);
    if (failure.getSuppressed().length > 0) {
      throw failure;
    }
  }

  /**
   * The device's own folder; an agent uses none that others than the device's user may write to.
   */
  private static Path folder(DeviceOptions options, Deque<AutoCloseable> parts) throws IOException {
    Files.createDirectories(options.directory(), permissions("rwxr-xr-x"));
    Path folder = options.directory().resolve(options.name());
    if (Files.notExists(folder)) {
      Files.createDirectory(folder, permissions("rwx--x--x"));
      parts.push(() -> Files.delete(folder));
    }
    return folder;
  }

  private static FileAttribute<?> permissions(String text) {
    return PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString(text));
  }

  private static DmaWindow window(DeviceOptions options, Deque<AutoCloseable> parts)
      throws IOException {
    if (options.memorySize() == 0) {
      return null;
    }
    Path file = options.memoryDirectory().resolve(options.node() + "." + options.name() + ".ring");
    int pageSize = options.settings().geometry().pageSize();
    DmaWindow window = DmaWindow.open("ring", file, options.memorySize(), pageSize);
    parts.push(window);
    return window;
  }

  private static void closeAll(Deque<AutoCloseable> parts, Exception failure) {
    for (AutoCloseable part : parts) {
      try {
        part.close();
      } catch (Exception e) {
        failure.addSuppressed(e);
      }
    }
    parts.clear();
  }
}
