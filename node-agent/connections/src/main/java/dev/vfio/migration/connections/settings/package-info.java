/**
 * What the settings of agent and operator have in common: how a value that cannot work is refused.
 * Knows no setting.
 */
package dev.vfio.migration.connections.settings;
