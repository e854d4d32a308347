/**
 * The benchmark: migrations beside plain copies of the same bytes, with their times and the agents'
 * memory. Knows the cluster; may not know the demo, the lab, or the code of operator, agent and
 * vfio.
 */
package dev.vfio.migration.sandbox.benchmark;
