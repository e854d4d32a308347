/**
 * A stand-in for a Kubernetes API server: for the demo, for tests, and for kubectl on a machine
 * without a cluster. ApiServer puts the parts together, ApiServerProcess runs it as a process. It
 * knows Kubernetes, and nothing of migrations or devices.
 */
package dev.vfio.migration.sandbox.apiserver;
