/**
 * Bounds for what unknown callers may hold: connections, memory, time. Agent and operator use them
 * for every port that they open. Knows neither of the two, nor what is said on a connection.
 */
package dev.vfio.migration.connections;
