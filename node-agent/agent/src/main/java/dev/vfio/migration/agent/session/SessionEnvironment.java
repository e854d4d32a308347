package dev.vfio.migration.agent.session;

import dev.vfio.migration.agent.machine.SessionKey;
import dev.vfio.migration.agent.machine.Timings;
import dev.vfio.migration.agent.stream.StateStreams;
import dev.vfio.migration.vfio.device.DeviceDirectory;
import java.util.function.Function;

/**
 * All that a session touches of the world. A simulation hands in its own.
 *
 * @param devices of this node
 * @param workloads of this node
 * @param memory access to DMA windows
 * @param streams the network
 * @param clock time
 * @param threads makes the thread of a session
 * @param timings how long sessions wait
 * @param maxWindowBytes that all DMA windows of one device may have
 */
public record SessionEnvironment(
    DeviceDirectory devices,
    Workloads workloads,
    WindowMemory memory,
    StateStreams streams,
    SessionClock clock,
    Function<ThreadName, SessionThread> threads,
    Timings timings,
    long maxWindowBytes) {

  /**
   * For whom a thread is made.
   *
   * @param key of the session
   * @param migrationName "namespace/name", for people
   */
  public record ThreadName(SessionKey key, String migrationName) {}
}
