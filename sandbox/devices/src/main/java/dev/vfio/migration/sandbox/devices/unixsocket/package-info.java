/** Unix sockets that can pass file descriptors, which the JDK cannot. */
package dev.vfio.migration.sandbox.devices.unixsocket;
