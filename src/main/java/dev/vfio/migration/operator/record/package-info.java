/**
 * The record in the API server: the one writer of {@code status}, and the events that tell of what
 * it wrote.
 */
package dev.vfio.migration.operator.record;
