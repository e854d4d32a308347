/**
 * What clients may expect of an API server. The classes *Contract hold the tests; SandboxServerTest
 * runs them against this server, RealServerTest against a real kube-apiserver where its binaries
 * are.
 */
package dev.vfio.migration.sandbox.apiserver.contract;
