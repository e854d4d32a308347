package dev.vfio.migration.vfio.transfer.machine;

import java.io.IOException;
import java.util.Optional;

/** What happens to a device's transfer. */
public sealed interface TransferEvent {

  /** A session asks for something. Never while another request is under way. */
  record Requested(TransferRequest request) implements TransferEvent {}

  /** A client has said who it is, and whether it holds the device. */
  record SaidHello(ConnectedClient client) implements TransferEvent {}

  /**
   * Whether a client that says that it holds the device does was looked at.
   *
   * @param record on the disk
   */
  record ClaimSeen(ConnectedClient client, Optional<TransferRecord> record, boolean holds)
      implements TransferEvent {}

  /** Whether a client that says that it holds the device does cannot be found out. */
  record ClaimUnclear(ConnectedClient client, String why) implements TransferEvent {}

  /** A client was answered that it may wait. */
  record Greeted(ConnectedClient client) implements TransferEvent {}

  /** The device's socket is closed: nobody can connect any more. */
  record Withdrawn() implements TransferEvent {}

  /** The client that waits has closed its connection, or broke it. */
  record Disconnected(int errno, String why) implements TransferEvent {}

  /** A message is with the client. */
  record Sent() implements TransferEvent {}

  /** A message could not be sent to the client. */
  record SendFailed(int errno, String why) implements TransferEvent {}

  /** The client has done what it was asked. */
  record Answered() implements TransferEvent {}

  /** The client has not done what it was asked. */
  record Refused(int errno, String why) implements TransferEvent {}

  /** The client answered against the protocol. */
  record Malformed(String what) implements TransferEvent {}

  /** The timer that was started last has run out. */
  record TimedOut() implements TransferEvent {}

  /** The record on the disk. */
  record RecordRead(Optional<TransferRecord> record) implements TransferEvent {}

  /** The record is on the disk. */
  record RecordWritten() implements TransferEvent {}

  /** No record is on the disk. */
  record RecordRemoved() implements TransferEvent {}

  /** Who holds the device, this agent apart. */
  record HolderSeen(Optional<HolderView> holder) implements TransferEvent {}

  /**
   * Who holds the device cannot be found out.
   *
   * @param held whether it is held all the same: it is open in this agent, and several have that
   *     very file
   */
  record HolderUnclear(IOException problem, boolean held) implements TransferEvent {}

  /** Whether the process that was asked about lives. */
  record ProcessSeen(boolean lives) implements TransferEvent {}

  /** Why the client that was asked about could not have the device; empty where it could. */
  record FitSeen(Optional<String> objection) implements TransferEvent {}

  /**
   * All that is to be delivered is there.
   *
   * @param startTime of the client's process; 0 where it is not known
   * @param given what is to be delivered beside the device; unknown where it was delivered before
   */
  record Prepared(long startTime, Given given) implements TransferEvent {
    /** Delivered before, or not noted. */
    public Prepared(long startTime) {
      this(startTime, Given.UNKNOWN);
    }
  }

  /** What was to be done last could not be done. */
  record Failed(IOException problem) implements TransferEvent {}
}
