package dev.vfio.migration.vfio.transfer.machine;

import java.io.IOException;

/**
 * Why a request was not done.
 *
 * @param errno of the kernel's, or of the workload's answer; 0 where there is none
 * @param message for a person: what, where, what was done to the device, what to do
 * @param cause what the effects failed with, to be thrown as it is; null where the machine decided
 */
public record TransferFailure(int errno, String message, IOException cause) {
  static TransferFailure of(int errno, String message) {
    return new TransferFailure(errno, message, null);
  }

  static TransferFailure of(IOException problem) {
    return new TransferFailure(0, problem.getMessage(), problem);
  }
}
