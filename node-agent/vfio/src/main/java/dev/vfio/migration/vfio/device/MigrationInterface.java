package dev.vfio.migration.vfio.device;

/** The kernel interfaces that carry a device's migration state. */
public enum MigrationInterface {
  /** Region of type 1&lt;&lt;30, subtype 1, with the packed 76-byte structure (November 2018). */
  REGION_2018,
  /** Region of type 3, subtype 1 (Linux 5.8 to 5.17). */
  REGION_V1,
  /** {@code VFIO_DEVICE_FEATURE_MIGRATION} (Linux 5.18 and later). */
  FEATURE_V2
}
