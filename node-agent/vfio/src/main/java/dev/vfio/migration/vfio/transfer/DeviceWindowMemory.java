package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.MemoryFile;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.transfer.machine.Given;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WindowShape;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;

/**
 * Memory that was made for the windows of a workload that is to come. Where an earlier agent made
 * it, with what else that agent gave away with the device.
 */
final class DeviceWindowMemory implements AutoCloseable {
  private final List<WindowShape> shapes;
  private final List<Descriptor> memory;
  private final Map<String, Descriptor> companions;
  private final OptionalInt ioas;

  private DeviceWindowMemory(
      List<WindowShape> shapes,
      List<Descriptor> memory,
      Map<String, Descriptor> companions,
      OptionalInt ioas) {
    this.shapes = List.copyOf(shapes);
    this.memory = List.copyOf(memory);
    this.companions = Collections.unmodifiableMap(new LinkedHashMap<>(companions));
    this.ioas = ioas;
  }

  /**
   * What an earlier agent gave a workload.
   *
   * @param found all of it, companions by name and memory by its identity; closed with this
   */
  static DeviceWindowMemory regained(Given given, Map<String, Descriptor> found) {
    Map<String, Descriptor> companions = new LinkedHashMap<>();
    given.companions().forEach(name -> companions.put(name, found.get(name)));
    return new DeviceWindowMemory(
        given.windows().stream()
            .map(window -> new WindowShape(window.name(), window.iova(), window.size()))
            .toList(),
        given.windows().stream().map(window -> found.get(window.file())).toList(),
        companions,
        given.ioas());
  }

  /** The device with what it was given away with, where it is open here without that. */
  DeviceDescriptors whole(DeviceDescriptors open) {
    return open.companions().isEmpty()
        ? new DeviceDescriptors(open.device(), companions, ioas, open.migrationInterface())
        : open;
  }

  /** What a workload is given with that device, as it is noted. */
  Given given(DeviceDescriptors whole) throws IOException {
    List<Given.Window> windows = new ArrayList<>();
    for (int i = 0; i < shapes.size(); i++) {
      WindowShape shape = shapes.get(i);
      windows.add(
          new Given.Window(
              shape.name(), shape.iova(), shape.size(), OpenFile.identity(memory.get(i))));
    }
    return new Given(List.copyOf(whole.companions().keySet()), whole.ioas(), windows);
  }

  /** Makes zeroed memory for windows of these shapes. */
  static DeviceWindowMemory of(List<WindowShape> shapes) throws IOException {
    List<Descriptor> memory = new ArrayList<>();
    boolean complete = false;
    try {
      for (WindowShape shape : shapes) {
        memory.add(MemoryFile.create("vfio-window-" + shape.name(), shape.size()));
      }
      complete = true;
      return new DeviceWindowMemory(shapes, memory, Map.of(), OptionalInt.empty());
    } finally {
      if (!complete) {
        memory.forEach(Descriptor::close);
      }
    }
  }

  List<WindowShape> shapes() {
    return shapes;
  }

  /** The descriptors of the windows, in the order of the shapes. */
  List<Descriptor> memory() {
    return memory;
  }

  /** What is written to the windows is logged by nobody here: nothing is migrated away yet. */
  List<DmaWindow> windows() {
    List<DmaWindow> windows = new ArrayList<>();
    for (int i = 0; i < shapes.size(); i++) {
      WindowShape shape = shapes.get(i);
      windows.add(
          new DmaWindow(
              shape.name(),
              shape.iova(),
              shape.size(),
              OpenFile.path(memory.get(i)),
              false,
              Optional.of(memory.get(i))));
    }
    return windows;
  }

  @Override
  public void close() {
    memory.forEach(Descriptor::close);
    companions.values().forEach(Descriptor::close);
  }
}
