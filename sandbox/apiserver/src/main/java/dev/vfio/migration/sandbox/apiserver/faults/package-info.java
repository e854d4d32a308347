/**
 * For tests of clients: switches that make the server misbehave, and a log of who wrote what.
 * Nothing in the server depends on them but the calls that report to them.
 */
package dev.vfio.migration.sandbox.apiserver.faults;
