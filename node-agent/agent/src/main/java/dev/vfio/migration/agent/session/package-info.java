/**
 * The sessions of this node: they perform what the machines of {@code agent.machine} want done,
 * each on the one thread that owns its device. The device, the workload, the memory, the stream,
 * the journal and the clock are interfaces that are handed in ({@code SessionEnvironment}), so that
 * a simulation can hand in its own. Nothing of gRPC, Netty or files is known.
 *
 * <p>{@code Sessions} holds them all. In each, {@code MachineLoop} hands events to the machine;
 * {@code SourceTasks} and {@code SourceWork}, or {@code DestinationWork}, perform the actions. What
 * the destination's stream brings arrives in {@code IncomingState}.
 */
package dev.vfio.migration.agent.session;
