/**
 * Command lines of the programs that people start. Knows picocli and how sizes are written; knows
 * no program's options.
 */
package dev.vfio.migration.sandbox.cluster.options;
