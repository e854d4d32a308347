package dev.vfio.migration.vfio.workload;

import java.util.List;

/**
 * What a workload says of itself.
 *
 * @param workload its name
 * @param state what it does now
 * @param device name of the device it uses
 * @param windows its DMA memory, checked
 */
public record WorkloadDescription(
    String workload, WorkloadState state, String device, List<DmaWindow> windows) {
  public WorkloadDescription {
    windows = List.copyOf(windows);
  }
}
