package dev.vfio.migration.agent.control;

import dev.vfio.migration.agent.machine.Failure;
import dev.vfio.migration.agent.machine.Reason;
import dev.vfio.migration.agent.session.Refusal;
import dev.vfio.migration.contract.v1.Device;
import dev.vfio.migration.vfio.linux.Errno;
import java.time.Duration;
import java.time.Instant;
import java.util.concurrent.CompletionException;
import java.util.concurrent.TimeoutException;

/**
 * Why a look found nothing, as people read it.
 *
 * @param time of a look at one device
 * @param longestQueue how long who asks for a device by its name waits for a thread
 */
record LookFailures(Duration time, Duration longestQueue) {

  /** Whether the device, or its workload, did not answer in time. */
  static boolean isSilent(Device device) {
    return device.getNotMigratable().getErrno() == Errno.ETIMEDOUT.number();
  }

  /** The device with a sentence that says since when it has not answered. */
  static Device since(Device device, Instant since) {
    Device.Builder answer = device.toBuilder();
    answer
        .getNotMigratableBuilder()
        .setMessage(device.getNotMigratable().getMessage() + sinceWhen(since));
    return answer.build();
  }

  private static String sinceWhen(Instant since) {
    return " It has not answered in time since " + since + ".";
  }

  Failure hangs(String id, Instant since) {
    return silence(
        String.format(
            "device %s did not answer within %s ms, and the look at it still hangs; it is looked at"
                + " again once that has ended.%s Nothing was done to the device; see the process"
                + " that serves it, or the node's kernel log (dmesg).",
            id, time.toMillis(), sinceWhen(since)));
  }

  Failure beingLookedAt(String id) {
    return silence(
        String.format(
            "device %s has not answered a look that is under way for more than %s ms. Nothing was"
                + " done to the device; ask again.",
            id, longestQueue.toMillis()));
  }

  /**
   * @param hanging threads that hang
   */
  Failure notLookedAt(String id, int hanging) {
    return silence(
        String.format(
            "device %s has not been looked at yet: %s Nothing was done to the device; ask again.",
            id, othersHang(hanging)));
  }

  /**
   * @param hanging threads that hang
   */
  Refusal noThread(String id, int hanging) {
    return new Refusal(
        Reason.NO_CAPACITY,
        String.format(
            "the device %s was not looked at: %s Nothing was done; try again.",
            id, othersHang(hanging)));
  }

  private static String othersHang(int hanging) {
    return "this agent is busy with looks at other devices, "
        + hanging
        + " of which do not answer (kubectl get vfionode NODE -o yaml says which).";
  }

  /** Why the names of the devices are not known. */
  Throwable unreadable(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause instanceof TimeoutException
        ? new Refusal(
            silence(
                "the names of this node's devices could not be read within "
                    + time.toMillis()
                    + " ms. Nothing was done to any device; see whether /sys and the directory of"
                    + " vfio-user sockets can be listed on the node."))
        : cause;
  }

  private static Failure silence(String message) {
    return new Failure(Reason.DEVICE_UNREACHABLE, message, Errno.ETIMEDOUT.number());
  }
}
