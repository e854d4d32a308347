/** Bounded waits for what has to be asked. Knows nothing of what it waits for. */
package dev.vfio.migration.sandbox.cluster.waiting;
