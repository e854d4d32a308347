package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.linux.Descriptor;
import dev.vfio.migration.vfio.linux.MemoryFile;
import dev.vfio.migration.vfio.linux.OpenFile;
import dev.vfio.migration.vfio.workload.DmaWindow;
import dev.vfio.migration.vfio.workload.WindowShape;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** Memory that was made for the windows of a workload that is to come. */
final class DeviceWindowMemory implements AutoCloseable {
  private final List<WindowShape> shapes;
  private final List<Descriptor> memory;

  private DeviceWindowMemory(List<WindowShape> shapes, List<Descriptor> memory) {
    this.shapes = List.copyOf(shapes);
    this.memory = List.copyOf(memory);
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
      return new DeviceWindowMemory(shapes, memory);
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
  }
}
