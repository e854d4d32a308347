package dev.vfio.migration.vfio.transfer.machine;

import java.util.List;
import java.util.OptionalInt;

/**
 * What a workload is given with its device, as it is on the disk: enough to find it again in that
 * workload's process, by an agent that did not give it.
 *
 * @param companions names of the descriptors beside the device's: {@code group} and {@code
 *     container}, or {@code iommufd}; none where that was not noted
 * @param ioas id of the I/O address space in {@code iommufd}, which nobody but the agent that made
 *     it knows; empty for a group's device
 * @param windows memory that was made for it
 */
public record Given(List<String> companions, OptionalInt ioas, List<Window> windows) {
  /** It is not known what, or that anything, was given. */
  public static final Given UNKNOWN = new Given(List.of(), OptionalInt.empty(), List.of());

  public Given {
    companions = List.copyOf(companions);
    windows = List.copyOf(windows);
  }

  /**
   * Memory of one window.
   *
   * @param name of the window
   * @param iova in bytes
   * @param size in bytes
   * @param file the kernel's identity of the memory, {@code MAJOR:MINOR:INODE}
   */
  public record Window(String name, long iova, long size, String file) {}
}
