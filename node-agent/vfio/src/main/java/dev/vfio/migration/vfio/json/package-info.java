/**
 * JSON that workloads, servers and earlier agents wrote, read to the letter: what is misspelt,
 * doubled or of another type is refused and never taken for absent. May know nothing else.
 */
package dev.vfio.migration.vfio.json;
