/** Unix sockets that can pass file descriptors, which those of the JDK cannot. */
package dev.vfio.migration.sandbox.devices.unixsocket;
