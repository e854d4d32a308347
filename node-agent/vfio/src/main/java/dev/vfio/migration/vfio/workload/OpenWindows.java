package dev.vfio.migration.vfio.workload;

import dev.vfio.migration.vfio.linux.Descriptor;
import java.util.List;

/**
 * Windows as a workload declared them, each with a descriptor of the file that was checked. The
 * descriptors are open until this is closed.
 */
record OpenWindows(List<DmaWindow> windows) implements AutoCloseable {
  OpenWindows {
    windows = List.copyOf(windows);
  }

  @Override
  public void close() {
    windows.forEach(window -> window.memory().ifPresent(Descriptor::close));
  }
}
