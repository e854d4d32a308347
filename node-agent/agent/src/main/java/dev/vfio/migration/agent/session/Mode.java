package dev.vfio.migration.agent.session;

/** Whether state is copied while the workload runs. */
public enum Mode {
  LIVE,
  COLD
}
