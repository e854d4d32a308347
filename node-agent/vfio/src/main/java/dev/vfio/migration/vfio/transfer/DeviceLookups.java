package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.transfer.machine.Given;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import java.io.IOException;
import java.util.Optional;

/**
 * What a transfer has to find out about its device and its processes. Called beside the listener's
 * thread, one call at a time for each device; may wait for a driver.
 */
interface DeviceLookups {

  /** Who holds the device: HolderSeen or HolderUnclear. */
  TransferEvent holder();

  /** Whether that very process lives. */
  boolean lives(long process, long startTime) throws IOException;

  /** When the process was started; 0 where that is not known. */
  long startTime(long process) throws IOException;

  /** Why that process could not have the device; empty where it could. */
  Optional<String> objection(long process) throws IOException;

  /**
   * What the device is delivered with.
   *
   * @throws IOException where something of it is missing; nothing was done then
   */
  WorkloadRequest deliverRequest(String migration) throws IOException;

  /** What is delivered with the device, as it is noted. */
  Given given() throws IOException;

  /** Removes what an earlier workload declared of its memory. */
  void removeEarlierDeclaration() throws IOException;
}
