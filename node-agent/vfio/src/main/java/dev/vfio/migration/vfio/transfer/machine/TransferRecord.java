package dev.vfio.migration.vfio.transfer.machine;

import java.util.Arrays;
import java.util.Optional;

/**
 * What is on the disk about the transfer of a device: to which workload, for which migration, and
 * how far it has come. Written before the step that it names, and kept once the device was taken.
 *
 * @param migration that the device is transferred for
 * @param process number of the workload's process; 0 where this process cannot see it
 * @param startTime of that process, in clock ticks since the machine was started; 0 where it is not
 *     known
 * @param stage how far the transfer has come
 * @param given what goes to the workload with the device
 */
public record TransferRecord(
    String migration, long process, long startTime, Stage stage, Given given) {

  /** A record that does not say what goes along. */
  public TransferRecord(String migration, long process, long startTime, Stage stage) {
    this(migration, process, startTime, stage, Given.UNKNOWN);
  }

  /** How far a transfer has come. The names are those on the disk. */
  public enum Stage {
    /** The device is about to be sent to the workload, which need not have got it. */
    PROMISED,
    /** The device was sent to the workload. */
    DELIVERED,
    /** The workload is told to take the device; it need not have heard that. */
    TOLD,
    /**
     * The workload was told, or was about to be, holds the device, and does not connect again: it
     * counts as having taken the device. Should it connect, it is told again.
     */
    PRESUMED,
    /** The workload answered that it took the device. */
    TAKEN;

    /** The stage of that name; empty where there is none. */
    public static Optional<Stage> named(String name) {
      return Arrays.stream(values()).filter(stage -> stage.name().equals(name)).findFirst();
    }
  }

  public TransferRecord at(Stage later) {
    return new TransferRecord(migration, process, startTime, later, given);
  }

  /** Whether the device's holder is the process of this record, or shares the device with it. */
  public boolean isOf(HolderView holder) {
    return holder.process() == process
        ? holder.startTime() == startTime
        : holder.together().contains(process);
  }

  /** Whether the workload uses the device, or counts as using it. */
  public boolean taken() {
    return stage == Stage.TAKEN || stage == Stage.PRESUMED;
  }

  /** Whether the workload was never told to use the device. */
  public boolean untold() {
    return stage == Stage.PROMISED || stage == Stage.DELIVERED;
  }

  /** Whether the device is on its way to the workload, and may be found in its socket later. */
  boolean onItsWay() {
    return stage == Stage.DELIVERED || stage == Stage.TOLD;
  }
}
