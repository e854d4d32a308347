/**
 * What follows from what was observed. Pure: an {@link
 * dev.vfio.migration.operator.decision.Observation} goes in, a {@link
 * dev.vfio.migration.operator.decision.Decision} comes out; no clock, no network, no thread,
 * nothing remembered. Each phase has a class of its own, which {@link
 * dev.vfio.migration.operator.decision.Decisions} chooses. The rules of the handover are in this
 * package and nowhere else; how a command reaches an agent, and how a status is stored, it does not
 * know.
 */
package dev.vfio.migration.operator.decision;
