/**
 * The system calls that this library needs, and who owns what they return: descriptors, sockets,
 * mappings, files of {@code /proc}. The only package that calls the C library.
 *
 * <p>May know nothing of VFIO or migrations.
 */
package dev.vfio.migration.vfio.linux;
