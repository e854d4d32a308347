/** Runs the real kubectl against the server. The tests are skipped where there is no kubectl. */
package dev.vfio.migration.sandbox.apiserver.kubectl;
