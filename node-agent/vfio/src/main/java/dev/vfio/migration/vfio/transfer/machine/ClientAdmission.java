package dev.vfio.migration.vfio.transfer.machine;

import dev.vfio.migration.vfio.linux.Errno;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Close;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Greet;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.LookAtClaim;
import dev.vfio.migration.vfio.transfer.machine.TransferAction.Refuse;
import dev.vfio.migration.vfio.transfer.machine.TransferEvent.ClaimSeen;
import java.util.Optional;

/**
 * Which client may wait: one at a time, and who holds the device before one that would like to. A
 * client that says that it holds the device is believed after a look.
 */
final class ClientAdmission {
  private final TransferFailures failures;

  ClientAdmission(TransferFailures failures) {
    this.failures = failures;
  }

  Next hello(TransferState state, ConnectedClient client) {
    ConnectedClient waiting = state.client();
    if (waiting != null
        && (client.holds() == null || waiting.holds() != null || state.clientInUse())) {
      return refuse(state, client, failures.anotherWaits());
    }
    return Next.of(state, client.holds() == null ? new Greet(client) : new LookAtClaim(client));
  }

  Next claimSeen(TransferState state, ClaimSeen seen) {
    ConnectedClient client = seen.client();
    ConnectedClient waiting = state.client();
    Optional<String> objection = failures.objection(client, seen.record(), seen.holds());
    if (objection.isPresent()) {
      // Whoever waits, waits on.
      return Next.of(state, new Refuse(client, Errno.EINVAL.number(), objection.get()));
    }
    if (waiting == null) {
      return Next.of(state, new Greet(client));
    }
    return waiting.holds() != null || state.clientInUse()
        ? refuse(state, client, failures.anotherWaits())
        : Next.of(
            state.withoutClient(),
            new Close(waiting, "makes room for the device's holder"),
            new Greet(client));
  }

  /** Refuses a client that may try again. */
  Next refuse(TransferState state, ConnectedClient client, String why) {
    return Next.of(state, new Refuse(client, Errno.EBUSY.number(), why));
  }
}
