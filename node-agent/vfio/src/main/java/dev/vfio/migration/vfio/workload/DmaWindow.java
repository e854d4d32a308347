package dev.vfio.migration.vfio.workload;

import dev.vfio.migration.vfio.linux.Descriptor;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A piece of the workload's memory that the device reads and writes.
 *
 * @param name equal on both ends
 * @param iova where the device sees it, bytes; a multiple of the page size
 * @param size bytes, a multiple of the page size, at least one page
 * @param file the shared file that backs it, mapped from its offset 0; its name for messages, and
 *     never opened by that
 * @param logged whether the device's dirty log covers every writer of this memory, the workload's
 *     own processor included; where it does not, what the log leaves out may have changed as well
 * @param memory a descriptor of the file, which stays its owner's and may only name the file
 *     ({@code O_PATH}): what the file is read and written by; empty where it cannot be
 */
public record DmaWindow(
    String name, long iova, long size, Path file, boolean logged, Optional<Descriptor> memory) {

  /** A window without a descriptor of its file, whose memory is out of reach. */
  public DmaWindow(String name, long iova, long size, Path file, boolean logged) {
    this(name, iova, size, file, logged, Optional.empty());
  }

  /** A window that others than the device may write to: the safe assumption. */
  public DmaWindow(String name, long iova, long size, Path file) {
    this(name, iova, size, file, false);
  }
}
