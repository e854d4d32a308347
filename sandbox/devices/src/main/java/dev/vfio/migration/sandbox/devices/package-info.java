/** A simulated device with the 2018 migration region, its workload, and the process around them. */
package dev.vfio.migration.sandbox.devices;
