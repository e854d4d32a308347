package dev.vfio.migration.vfio.workload;

import java.nio.file.Path;

/**
 * A piece of the workload's memory that the device reads and writes.
 *
 * @param name equal on both ends
 * @param iova where the device sees it, bytes; a multiple of the page size
 * @param size bytes, a multiple of the page size, at least one page
 * @param file the shared file that backs it, mapped from its offset 0
 * @param logged whether the device's dirty log covers every writer of this memory, the workload's
 *     own processor included; where it does not, what the log leaves out may have changed as well
 */
public record DmaWindow(String name, long iova, long size, Path file, boolean logged) {

  /** A window that others than the device may write to: the safe assumption. */
  public DmaWindow(String name, long iova, long size, Path file) {
    this(name, iova, size, file, false);
  }
}
