/**
 * Rounds of faults: what each is to be, and the table of what came of them. Who has points and
 * parts to name runs them: {@code cluster.chaos} on processes, the kernel lab on guests.
 */
package dev.vfio.migration.sandbox.cluster.rounds;
