package dev.vfio.migration.agent.session;

import dev.vfio.migration.vfio.workload.Workload;
import java.io.IOException;

/** The workloads of this node, by the device that they use. Safe for use by several threads. */
public interface Workloads {
  /** Reaches the workload that uses that device. */
  Workload of(String device) throws IOException;
}
