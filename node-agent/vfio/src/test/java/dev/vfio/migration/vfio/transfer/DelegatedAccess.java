package dev.vfio.migration.vfio.transfer;

import dev.vfio.migration.vfio.transfer.machine.TransferEvent;
import java.io.IOException;
import java.util.Optional;

/** As another one; a test overrides what it is about. */
class DelegatedAccess implements DeviceAccess {
  private final DeviceAccess access;

  DelegatedAccess(DeviceAccess access) {
    this.access = access;
  }

  @Override
  public TransferEvent holder() {
    return access.holder();
  }

  @Override
  public boolean lives(long process, long startTime) throws IOException {
    return access.lives(process, startTime);
  }

  @Override
  public long startTime(long process) throws IOException {
    return access.startTime(process);
  }

  @Override
  public Optional<String> objection(long process) throws IOException {
    return access.objection(process);
  }

  @Override
  public DeliverRequest deliverRequest(String migration) throws IOException {
    return access.deliverRequest(migration);
  }

  @Override
  public void removeEarlierDeclaration() throws IOException {
    access.removeEarlierDeclaration();
  }
}
