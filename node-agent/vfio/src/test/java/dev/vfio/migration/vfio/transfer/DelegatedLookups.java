package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.transfer.machine.Given;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import java.io.IOException;
import java.util.Optional;

/** As another one; a test overrides what it is about. */
class DelegatedLookups implements DeviceLookups {
  private final DeviceLookups lookups;

  DelegatedLookups(DeviceLookups lookups) {
    this.lookups = lookups;
  }

  @Override
  public TransferEvent holder() {
    return lookups.holder();
  }

  @Override
  public boolean lives(long process, long startTime) throws IOException {
    return lookups.lives(process, startTime);
  }

  @Override
  public long startTime(long process) throws IOException {
    return lookups.startTime(process);
  }

  @Override
  public Optional<String> objection(long process) throws IOException {
    return lookups.objection(process);
  }

  @Override
  public WorkloadRequest deliverRequest(String migration) throws IOException {
    return lookups.deliverRequest(migration);
  }

  @Override
  public Given given() throws IOException {
    return lookups.given();
  }

  @Override
  public void removeEarlierDeclaration() throws IOException {
    lookups.removeEarlierDeclaration();
  }
}
