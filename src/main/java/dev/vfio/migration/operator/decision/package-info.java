/**
 * What follows from what was observed. Pure: an {@link
 * dev.vfio.migration.operator.decision.Observation} goes in, a {@link
 * dev.vfio.migration.operator.decision.Decision} comes out; no clock, no network, no thread,
 * nothing remembered. The handover's rules live here and nowhere else.
 */
package dev.vfio.migration.operator.decision;
