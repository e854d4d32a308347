/**
 * The record in the API server: the one writer of {@code status}, and the events about what it
 * wrote. Knows when something is worth a write, and nothing of why it was decided.
 */
package dev.vfio.migration.operator.record;
