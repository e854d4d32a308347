/**
 * The simulation of schedules: two nodes, a network and an operator in virtual time, driven by the
 * very classes of {@code agent.machine}, {@code agent.session} and {@code vfio.transfer.machine}.
 * Begin with {@code Chaos}, the command. {@code World} holds the handover's rules at every step,
 * {@code HandoverSchedulesTest} draws the schedules.
 */
package dev.vfio.migration.sandbox.chaos;
