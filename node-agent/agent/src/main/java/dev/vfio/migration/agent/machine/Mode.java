package dev.vfio.migration.agent.machine;

/** Whether state is copied while the workload runs. */
public enum Mode {
  LIVE,
  COLD
}
