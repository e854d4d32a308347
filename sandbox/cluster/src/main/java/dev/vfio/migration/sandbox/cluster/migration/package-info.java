/**
 * DeviceMigrations as somebody with kubectl sees them: applied, watched, read. Knows the Kubernetes
 * client; knows neither processes nor devices.
 */
package dev.vfio.migration.sandbox.cluster.migration;
