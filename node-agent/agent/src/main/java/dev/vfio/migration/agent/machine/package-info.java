/**
 * The pure machines of both ends of a migration: their states, steps, events, actions, journal
 * entries and settings. A machine is a function from a state and an event to the next state and the
 * actions to perform. Begin at {@code SourceMachine} and {@code DestinationMachine}, whose comments
 * draw the way; what they want done is in {@code SourceAction} and {@code DestinationAction}.
 *
 * <p>A machine knows no thread, file, socket, clock or log, nothing of {@code java.util.concurrent}
 * and no other package of the agent; of the vfio library it knows values such as {@code
 * DeviceState}. The simulation drives these very classes through its schedules.
 */
package dev.vfio.migration.agent.machine;
