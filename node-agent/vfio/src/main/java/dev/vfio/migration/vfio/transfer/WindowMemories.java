package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.workload.WindowShape;
import java.io.IOException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Memory that was made for the windows of each device. Safe for use by several threads. */
final class WindowMemories implements AutoCloseable {
  private final Map<String, DeviceWindowMemory> made = new ConcurrentHashMap<>();

  /** Makes memory for windows of these shapes, in place of what was made before. */
  void make(String device, List<WindowShape> shapes) throws IOException {
    keep(device, DeviceWindowMemory.of(shapes));
  }

  /** Keeps what an earlier agent made, in place of what was made before. */
  void keep(String device, DeviceWindowMemory memory) {
    DeviceWindowMemory former = made.put(device, memory);
    if (former != null) {
      former.close();
    }
  }

  /** Memory that was made for the device's windows and not released. */
  Optional<DeviceWindowMemory> of(String device) {
    return Optional.ofNullable(made.get(device));
  }

  /** Releases memory that was made for the device's windows. */
  void release(String device) {
    DeviceWindowMemory former = made.remove(device);
    if (former != null) {
      former.close();
    }
  }

  @Override
  public void close() {
    Set.copyOf(made.keySet()).forEach(this::release);
  }
}
