package dev.vfio.migration.vfio.transfer.machine;

import java.time.Duration;

/**
 * What a session asks of its device's transfer. One at a time for each device; repeating one that
 * was done does nothing.
 *
 * @param kind what is asked
 * @param migration for which; null where the kind is about none
 * @param connectTimeout how long a workload to connect is waited for
 * @param answerTimeout how long each answer of a workload is waited for
 */
public record TransferRequest(
    Kind kind, String migration, Duration connectTimeout, Duration answerTimeout) {

  /** What can be asked. */
  public enum Kind {
    /** Forgets an earlier transfer, where nobody holds the device: another migration begins. */
    FORGET,
    /** Looks whether the workload that waits could have the device. Asks nothing of it. */
    REQUIRE_FIT,
    /** Sends the loaded device to the workload that waits, which does not use it yet. */
    DELIVER,
    /** Looks whether the workload that received the device lives and is connected. */
    REQUIRE_RECEIVER,
    /** Tells the workload that received the device to use it. */
    TAKE,
    /** Asks the workload that received the device to give it back. */
    GIVE_BACK,
    /** The machine's own: a workload that counts as having taken the device has connected again. */
    TELL_AGAIN
  }
}
