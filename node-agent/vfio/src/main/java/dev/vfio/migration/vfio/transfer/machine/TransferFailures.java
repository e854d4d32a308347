package dev.vfio.migration.vfio.transfer.machine;

import dev.vfio.migration.vfio.linux.Errno;
import java.time.Duration;
import java.util.Optional;

/** What a person is told where one device's transfer does not go on. */
public final class TransferFailures {
  private final String device;
  private final String socket;

  /**
   * @param device its id
   * @param socket path where a workload connects
   */
  public TransferFailures(String device, String socket) {
    this.device = device;
    this.socket = socket;
  }

  private static TransferFailure failure(Errno errno, String message) {
    return TransferFailure.of(errno.number(), message);
  }

  /** How long was waited; nothing where that was no time. */
  static String within(Duration timeout) {
    return timeout.isZero() ? "" : " within " + timeout.toMillis() + " ms";
  }

  /** Nobody connected in time. */
  public TransferFailure nobodyWaits(Duration timeout) {
    return failure(
        Errno.ETIMEDOUT,
        "nobody uses the device "
            + device
            + ", and nobody waits for it at "
            + socket
            + within(timeout)
            + ". Start the workload that is to wait there; see whether its socket's folder is"
            + " mounted into it and whether it runs as root or as the folder's owner.");
  }

  TransferFailure withdrawn() {
    return failure(
        Errno.ECONNREFUSED,
        "nobody can wait for the device " + device + ": its socket was withdrawn");
  }

  TransferFailure holdsForAnother(ConnectedClient client, String migration) {
    return failure(
        Errno.EBUSY,
        "the device "
            + device
            + " cannot be transferred: "
            + client.described()
            + " holds it for the migration "
            + client.holds()
            + ". Nothing was delivered for "
            + migration
            + ".");
  }

  TransferFailure unfitToWait(ConnectedClient client, String objection) {
    return failure(
        Errno.EBUSY,
        client.described()
            + " waits for the device "
            + device
            + " and cannot be given it: "
            + objection
            + ". Nothing was done to the device.");
  }

  /** Why a client that received the device cannot keep it; empty where it can. */
  Optional<String> objection(ConnectedClient client, Optional<HolderView> found) {
    if (found.isEmpty() || !found.get().together().contains(client.process())) {
      return Optional.of(
          "it answered that it received it, and that process does not hold it (the agent needs"
              + " hostPID to see it)");
    }
    HolderView holder = found.get();
    if (holder.virtualMachineMonitor()) {
      return Optional.of(
          holder.name()
              + " is a virtual machine monitor, which cannot go on with a state that it did not"
              + " load itself");
    }
    return holder.otherDevices() == 0
        ? Optional.empty()
        : Optional.of(
            holder.name()
                + " holds "
                + holder.otherDevices()
                + " other VFIO devices. Let each workload wait for one");
  }

  TransferFailure unfit(ConnectedClient client, String migration, String objection) {
    return failure(
        Errno.EBUSY,
        client.described()
            + " cannot be given the device "
            + device
            + " for the migration "
            + migration
            + ": "
            + objection);
  }

  TransferFailure unfitAndGaveBack(TransferFailure unfit) {
    return failure(Errno.EBUSY, unfit.message() + ". It gave it back, and did not use it.");
  }

  TransferFailure unfitAndKept(TransferFailure unfit, TransferFailure kept) {
    return failure(
        Errno.EBUSY, unfit.message() + ". It was asked to give it back: " + kept.message());
  }

  TransferFailure refused(ConnectedClient client, String operation, int errno, String why) {
    return TransferFailure.of(
        errno,
        client.described()
            + " refused \""
            + operation
            + "\" of the device "
            + device
            + ": "
            + why
            + (errno == 0 ? "" : ", " + Errno.describe(errno))
            + ".");
  }

  TransferFailure malformed(ConnectedClient client, String operation, String what) {
    return failure(
        Errno.EPROTO,
        client.described()
            + " answered \""
            + operation
            + "\" against the protocol: "
            + what
            + unknown());
  }

  TransferFailure silent(ConnectedClient client, String operation, Duration timeout) {
    return failure(
        Errno.ETIMEDOUT,
        client.described() + " did not answer \"" + operation + "\"" + within(timeout) + unknown());
  }

  TransferFailure left(ConnectedClient client, String operation, int errno, String why) {
    return TransferFailure.of(
        errno,
        client.described() + " is gone, asked for \"" + operation + "\": " + why + unknown());
  }

  private static String unknown() {
    return ". Whether it did what was asked is not known; the connection was ended.";
  }

  TransferFailure heldByAnother(HolderView holder, String migration) {
    return failure(
        Errno.EBUSY,
        "the device "
            + device
            + " is held by "
            + holder.name()
            + ", which did not receive it for the migration "
            + migration
            + ". Nothing was done to the device or to that process; see what it does with it.");
  }

  TransferFailure notBack(TransferRecord record, Duration timeout) {
    return failure(
        Errno.ETIMEDOUT,
        received(record)
            + " and did not connect again to "
            + socket
            + within(timeout)
            + ". It was not told to use the device, or did not say that it does; see whether it"
            + " hangs.");
  }

  private String received(TransferRecord record) {
    return "process "
        + record.process()
        + " received the device "
        + device
        + " for the migration "
        + record.migration();
  }

  TransferFailure receiverEnded(TransferRecord record) {
    return failure(
        Errno.ESRCH,
        "process "
            + record.process()
            + ", which received the device "
            + device
            + " for the migration "
            + record.migration()
            + ", has ended before it was told to take it");
  }

  TransferFailure receiverNotConnected(String migration) {
    return failure(
        Errno.ETIMEDOUT,
        "the workload that received the device "
            + device
            + " for the migration "
            + migration
            + " is not connected to "
            + socket
            + ", so it cannot be told to take it; see whether it runs");
  }

  /** What became of a device whose receiver has ended. */
  public TransferFailure ended(TransferRecord record, Duration timeout) {
    return failure(
        Errno.ESRCH,
        record.untold()
            ? received(record)
                + " and has ended, and nobody else waits for it at "
                + socket
                + within(timeout)
                + ". Start another workload that waits there: it gets the device for as long as"
                + " this agent has it open."
            : "process "
                + record.process()
                + (record.taken() ? " took" : " was told to take")
                + " the device "
                + device
                + " for the migration "
                + record.migration()
                + " and has ended since. What it went on with ended with it, and the device is"
                + " given to nobody else; start the workload anew.");
  }

  TransferFailure inUse(TransferRecord record) {
    return failure(
        Errno.EBUSY,
        "process "
            + record.process()
            + " took the device "
            + device
            + " for the migration "
            + record.migration()
            + " and uses it. It was not asked to give it back; end it first.");
  }

  String presumed(String migration) {
    return "the holder of the device "
        + device
        + " did not confirm that it took it for the migration "
        + migration
        + ", and does not say that it waits: it counts as having taken it, and is told again should"
        + " it connect again";
  }

  String anotherWaits() {
    return "another workload waits for the device " + device;
  }

  /** Why a client that says that it holds the device is not believed; empty where it is. */
  Optional<String> objection(
      ConnectedClient client, Optional<TransferRecord> record, boolean holds) {
    if (record.isPresent() && !client.holdsFor(record.get().migration())) {
      return Optional.of(
          "the device "
              + device
              + " was delivered for the migration "
              + record.get().migration()
              + " and not for "
              + client.holds());
    }
    if (record.isPresent() && record.get().stage() == TransferRecord.Stage.TAKEN) {
      return Optional.of(
          "the device "
              + device
              + " was taken for "
              + client.holds()
              + ": who took it waits no more");
    }
    return holds
        ? Optional.empty()
        : Optional.of(
            "process "
                + client.process()
                + " does not hold the device "
                + device
                + "; say \"holds\": null to wait for it");
  }
}
