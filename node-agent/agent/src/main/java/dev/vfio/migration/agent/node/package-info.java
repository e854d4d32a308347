/**
 * The agent of one node put together: which devices, workloads, files, threads and ports the
 * sessions get, what is watched, logged and measured, and in what order all of it starts and ends.
 * Every other package of the agent may be known here, and none of them knows this one.
 */
package dev.vfio.migration.agent.node;
