package dev.vfio.migration.vfio.device;

/**
 * The end of a migration that a device is at. The later interfaces have one state, "stopped", for
 * what is STOPNCOPY at the source and RESUME_COMPLETED at the destination.
 */
public enum MigrationEnd {
  SOURCE,
  DESTINATION
}
