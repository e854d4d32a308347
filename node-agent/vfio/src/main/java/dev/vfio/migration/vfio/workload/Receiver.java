package dev.vfio.migration.vfio.workload;

/**
 * The process that the device's state and memory were loaded for.
 *
 * @param migration that they were loaded for
 * @param process its number
 * @param startTime in clock ticks since the machine was started; 0 where that is not known
 * @param windows how many windows it had
 */
public record Receiver(String migration, long process, long startTime, int windows) {}
