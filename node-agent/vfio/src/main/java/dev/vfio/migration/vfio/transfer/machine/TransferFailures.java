package dev.vfio.migration.vfio.transfer.machine;

import dev.vfio.migration.vfio.linux.Errno;
import java.time.Duration;
import java.util.Optional;

/** What a person is told where one device's transfer does not go on. */
public final class TransferFailures {
  private static final String UNKNOWN =
      ". Whether it did what was asked is not known; the connection was ended.";

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

  private static TransferFailure failure(Errno errno, String message, Object... facts) {
    return TransferFailure.of(errno.number(), String.format(message, facts));
  }

  /** How long was waited; nothing where that was no time. */
  private static String within(Duration timeout) {
    return timeout.isZero() ? "" : " within " + timeout.toMillis() + " ms";
  }

  /** Nobody connected in time. */
  public TransferFailure nobodyWaits(Duration timeout) {
    return failure(
        Errno.ETIMEDOUT,
        "nobody uses the device %s, and nobody waits for it at %s%s. Start the workload that is to"
            + " wait there; see whether its socket's folder is mounted into it and whether it runs"
            + " as root or as the folder's owner.",
        device,
        socket,
        within(timeout));
  }

  /** The device's socket was closed while somebody was waited for. */
  public TransferFailure withdrawn() {
    return failure(
        Errno.ECONNREFUSED, "nobody can wait for the device %s: its socket was withdrawn", device);
  }

  TransferFailure holdsForAnother(ConnectedClient client, String migration) {
    return failure(
        Errno.EBUSY,
        "the device %s cannot be transferred: %s holds it for the migration %s. Nothing was"
            + " delivered for %s.",
        device,
        client.described(),
        client.holds(),
        migration);
  }

  TransferFailure unfitToWait(ConnectedClient client, String objection) {
    return failure(
        Errno.EBUSY,
        "%s waits for the device %s and cannot be given it: %s. Nothing was done to the device.",
        client.described(),
        device,
        objection);
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
            String.format(
                "%s holds %s other VFIO devices. Let each workload wait for one",
                holder.name(), holder.otherDevices()));
  }

  TransferFailure unfit(ConnectedClient client, String migration, String objection) {
    return failure(
        Errno.EBUSY,
        "%s cannot be given the device %s for the migration %s: %s",
        client.described(),
        device,
        migration,
        objection);
  }

  TransferFailure unfitAndGaveBack(TransferFailure unfit) {
    return failure(Errno.EBUSY, "%s. It gave it back, and did not use it.", unfit.message());
  }

  TransferFailure unfitAndKept(TransferFailure unfit, TransferFailure kept) {
    return failure(
        Errno.EBUSY, "%s. It was asked to give it back: %s", unfit.message(), kept.message());
  }

  TransferFailure refused(ConnectedClient client, String operation, int errno, String why) {
    return TransferFailure.of(
        errno,
        String.format(
            "%s refused \"%s\" of the device %s: %s%s.",
            client.described(),
            operation,
            device,
            why,
            errno == 0 ? "" : ", " + Errno.describe(errno)));
  }

  TransferFailure malformed(ConnectedClient client, String operation, String what) {
    return failure(
        Errno.EPROTO,
        "%s answered \"%s\" against the protocol: %s%s",
        client.described(),
        operation,
        what,
        UNKNOWN);
  }

  TransferFailure silent(ConnectedClient client, String operation, Duration timeout) {
    return failure(
        Errno.ETIMEDOUT,
        "%s did not answer \"%s\"%s%s",
        client.described(),
        operation,
        within(timeout),
        UNKNOWN);
  }

  TransferFailure left(ConnectedClient client, String operation, int errno, String why) {
    return TransferFailure.of(
        errno,
        String.format(
            "%s is gone, asked for \"%s\": %s%s", client.described(), operation, why, UNKNOWN));
  }

  TransferFailure heldByAnother(HolderView holder, String migration) {
    return failure(
        Errno.EBUSY,
        "the device %s is held by %s, which did not receive it for the migration %s. Nothing was"
            + " done to the device or to that process; see what it does with it.",
        device,
        holder.name(),
        migration);
  }

  TransferFailure notBack(TransferRecord record, Duration timeout) {
    return failure(
        Errno.ETIMEDOUT,
        "%s and did not connect again to %s%s. It was not told to use the device, or did not say"
            + " that it does; see whether it hangs.",
        did("received", record),
        socket,
        within(timeout));
  }

  private String did(String what, TransferRecord record) {
    return String.format(
        "process %s %s the device %s for the migration %s",
        record.process(), what, device, record.migration());
  }

  TransferFailure receiverEnded(TransferRecord record) {
    return failure(
        Errno.ESRCH,
        "process %s, which received the device %s for the migration %s, has ended before it was"
            + " told to take it",
        record.process(),
        device,
        record.migration());
  }

  TransferFailure receiverNotConnected(String migration) {
    return failure(
        Errno.ETIMEDOUT,
        "the workload that received the device %s for the migration %s is not connected to %s, so"
            + " it cannot be told to take it; see whether it runs",
        device,
        migration,
        socket);
  }

  /** What became of a device whose receiver has ended. */
  public TransferFailure ended(TransferRecord record, Duration timeout) {
    if (record.untold()) {
      return failure(
          Errno.ESRCH,
          "%s and has ended, and nobody else waits for it at %s%s. Start another workload that"
              + " waits there: it gets the device for as long as this agent has it open.",
          did("received", record),
          socket,
          within(timeout));
    }
    return failure(
        Errno.ESRCH,
        "%s and has ended since. What it went on with ended with it, and the device is given to"
            + " nobody else; start the workload anew.",
        did(record.taken() ? "took" : "was told to take", record));
  }

  TransferFailure inUse(TransferRecord record) {
    return failure(
        Errno.EBUSY,
        "%s and uses it. It was not asked to give it back; end it first.",
        did("took", record));
  }

  String presumed(String migration) {
    return String.format(
        "the holder of the device %s did not confirm that it took it for the migration %s, and"
            + " does not say that it waits: it counts as having taken it, and is told again should"
            + " it connect again",
        device, migration);
  }

  String anotherWaits() {
    return "another workload waits for the device " + device;
  }

  /** Why a client that says that it holds the device is not believed; empty where it is. */
  Optional<String> objection(
      ConnectedClient client, Optional<TransferRecord> record, boolean holds) {
    if (record.isPresent() && !client.holdsFor(record.get().migration())) {
      return Optional.of(
          String.format(
              "the device %s was delivered for the migration %s and not for %s",
              device, record.get().migration(), client.holds()));
    }
    if (record.isPresent() && record.get().stage() == TransferRecord.Stage.TAKEN) {
      return Optional.of(
          String.format(
              "the device %s was taken for %s: who took it waits no more", device, client.holds()));
    }
    return holds
        ? Optional.empty()
        : Optional.of(
            String.format(
                "process %s does not hold the device %s; say \"holds\": null to wait for it",
                client.process(), device));
  }
}
