/**
 * The settings of the agent, {@code agent.*}, and their checks at start: unknown, impossible and
 * renamed settings are named before anything is begun.
 */
package dev.vfio.migration.agent.configuration;
