/**
 * The deterministic function behind all state and memory, and the sequence that drives it, so that
 * an audit can recompute every byte. May not know devices.
 */
package dev.vfio.migration.sandbox.devices.content;
