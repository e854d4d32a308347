package dev.vfio.migration.sandbox.cluster;

import dev.vfio.migration.sandbox.cluster.console.DeviceConsole;
import dev.vfio.migration.sandbox.cluster.evidence.DeviceLog;
import dev.vfio.migration.sandbox.cluster.process.RunningProcess;

/**
 * A device process on a node.
 *
 * @param process the process
 * @param log what it writes itself about states, workload and continuity
 * @param console how to ask it and to give it faults
 */
public record LaunchedDevice(RunningProcess process, DeviceLog log, DeviceConsole console) {}
