/** The deterministic function behind all state and memory, and the sequence that drives it. */
package dev.vfio.migration.sandbox.devices.content;
