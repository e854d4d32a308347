/**
 * A simulated device with the 2018 migration region, its workload, and the process around both. May
 * not know the node agent, the operator or Kubernetes.
 */
package dev.vfio.migration.sandbox.devices;
