/**
 * vfio-user: access to a device that a process serves over a Unix socket, and the directory of such
 * devices on this node, which all speak the region of 2018. No server is trusted.
 *
 * <p>Source: the vfio-user protocol specification, {@code docs/interop/vfio-user.rst} of QEMU.
 */
package dev.vfio.migration.vfio.user;
