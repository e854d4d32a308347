package dev.vfio.migration.vfio.device;

/**
 * At which end of a migration a device is. The later interfaces have one state, "stopped", for what
 * is STOPNCOPY at the source and RESUME_COMPLETED at the destination.
 */
public enum MigrationEnd {
  SOURCE,
  DESTINATION
}
