package dev.vfio.migration.vfio.transfer.machine;

import java.util.Objects;

/**
 * A workload that is connected to its device's socket and has said who it is.
 *
 * @param id of its connection: of no other one of this device, ever
 * @param process its number; 0 where this process cannot see it
 * @param user its user id
 * @param name as it calls itself, fit for messages
 * @param holds the migration that it holds the device for; null where it has no device
 */
public record ConnectedClient(int id, long process, int user, String name, String holds) {

  ConnectedClient holding(String migration) {
    return new ConnectedClient(id, process, user, name, migration);
  }

  /** Whether the client holds the device for that migration. */
  public boolean holdsFor(String migration) {
    return Objects.equals(holds, migration);
  }

  /** For messages. */
  public String described() {
    return "the workload \"" + name + "\" (process " + process + ", user " + user + ")";
  }
}
