package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.transfer.TransferRecords.Stage;
import dev.vfio.migration.vfio.transfer.TransferRecords.TransferRecord;
import java.io.IOException;
import java.util.Optional;

/** Whether a workload that says that it holds a device is to be believed. */
final class ReattachCheck {
  private final TransferRecords receipts;
  private final HolderCheck claims;

  ReattachCheck(TransferRecords receipts, HolderCheck claims) {
    this.receipts = receipts;
    this.claims = claims;
  }

  /**
   * Why it is not believed; empty where it is.
   *
   * @param migration that it says it received the device for
   * @param process number of the workload's process; 0 where this process cannot see it
   */
  Optional<String> objection(String device, String migration, long process) throws IOException {
    Optional<TransferRecord> receipt = receipts.of(device);
    if (receipt.isPresent() && !receipt.get().migration().equals(migration)) {
      return Optional.of(
          "the device "
              + device
              + " was handed over for the migration "
              + receipt.get().migration()
              + " and not for "
              + migration);
    }
    if (receipt.isPresent() && receipt.get().stage() == Stage.TAKEN) {
      return Optional.of(
          "the device " + device + " was taken for " + migration + ": who took it waits no more");
    }
    return claims.holds(device, process)
        ? Optional.empty()
        : Optional.of(
            "process "
                + process
                + " does not hold the device "
                + device
                + "; say \"holds\": null to wait for it");
  }
}
