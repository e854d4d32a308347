/**
 * Migrations of real VFIO devices between two booted guests. {@code sandbox/kernel-lab} boots them
 * and starts {@link dev.vfio.migration.sandbox.lab.KernelLab}; {@code sandbox/lab/guide.md} says
 * what a guest is, {@code sandbox/lab/kernel-module/README.md} and {@code
 * sandbox/lab/workload/README.md} which devices and programs are in it.
 *
 * <p>API server and operator are processes of this machine, the agents are in the guests. A
 * scenario is judged by what the programs in the guests print (every step once, before and after),
 * by the trace of our device module (which device worked, and when), and by what the kernel says of
 * the agents' descriptors and of frozen cgroups.
 */
package dev.vfio.migration.sandbox.lab;
